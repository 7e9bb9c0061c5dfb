--[[
  Find the active jobs that a worker has locked.
    KEYS[1] active (list of job ids)
    ARGV[1] prefix of the job hashes     ARGV[2] what the worker's tokens begin with
  Returns {id, token, id, token, ...}.
]]
local found = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local token = redis.call('GET', ARGV[1] .. id .. ':lock')
  if token and string.sub(token, 1, #ARGV[2]) == ARGV[2] then
    table.insert(found, id)
    table.insert(found, token)
  end
end
return found
