--[[
  Put a claimed or started job back to the front of its lane: no attempt is counted, and no crash. One that was removed
  or canceled meanwhile goes nowhere.
    KEYS[1] rq:queue:<lane> (list of job ids)
    KEYS[2] rq:queue:<lane>:intermediate (list of job ids: claimed, not yet started)
    KEYS[3] rq:wip:<lane> (sorted set of <job id>:<execution id>)
    KEYS[4] rq:worker:<name>:executions (set of members of KEYS[3])
    KEYS[5] rq:executions:<job id> (sorted set of execution ids)
    ARGV[1] the job's id     ARGV[2] its member of KEYS[3]; '' if it is claimed only
    ARGV[3] prefix of the job hashes     ARGV[4] prefix of the execution hashes
]]
local function take()
  if ARGV[2] == '' then return redis.call('LREM', KEYS[2], 1, ARGV[1]) end
  redis.call('DEL', ARGV[4] .. ARGV[2])
  redis.call('SREM', KEYS[4], ARGV[2])
  redis.pcall('ZREM', KEYS[5], string.match(ARGV[2], '[^:]*$')) -- as in `recover`
  return redis.call('ZREM', KEYS[3], ARGV[2])
end

local job = ARGV[3] .. ARGV[1]
if take() == 1 and is_hash(job) and fields(job, 'status') ~= 'canceled' then
  redis.call('HDEL', job, 'claimed_at', 'claimed_by')
  redis.call('HSET', job, 'status', 'queued')
  redis.call('LPUSH', KEYS[1], ARGV[1])
end
