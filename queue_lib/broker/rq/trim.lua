--[[
  Delete the oldest finished jobs beyond what a queue keeps.
    KEYS[1] rq:kept:<queue> (list of executions that have finished jobs, see `trim`)
    ARGV[1] how many are kept     ARGV[2] how many go at most
  Returns how many are left.
]]
trim(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]))
return redis.call('LLEN', KEYS[1])
