--[[
  Put jobs whose worker has gone silent back to the front of their lane, and count the crash. No attempt is counted.
  Nothing of the execution stays: RQ's own `delete` stumbles over one whose hash is gone.
    for each lane:
    KEYS[n]   rq:queue:<lane> (list of job ids)
    KEYS[n+1] rq:queue:<lane>:intermediate (list of job ids: claimed, not yet started)
    KEYS[n+2] rq:wip:<lane> (sorted set of <job id>:<execution id>, scored by the second its lease ends)
    ARGV[1] length of a lease, seconds
    ARGV[2] prefix of the job hashes     ARGV[3] prefix of the execution hashes
    ARGV[4] prefix of the executions of a job (sorted sets of execution ids)
    ARGV[5] what is before the name in the key of a worker's executions (sets of members of KEYS[n+2]), and after it
    ARGV[6]
  Returns the ids.
]]
local lease = tonumber(ARGV[1])
local recovered = {}

local function back(lane, id)
  local job = ARGV[2] .. id
  redis.call('HINCRBY', job, 'crashes', 1)
  redis.call('HDEL', job, 'claimed_at', 'claimed_by')
  redis.call('HSET', job, 'status', 'queued')
  redis.call('LPUSH', KEYS[lane], id)
  table.insert(recovered, id)
end

local function forget(member, id, execution)
  local worker = fields(ARGV[2] .. id, 'worker_name')
  if worker then redis.call('SREM', ARGV[5] .. worker .. ARGV[6], member) end
  redis.pcall('ZREM', ARGV[4] .. id, execution) -- another kind of value may lie there: the next claim removes it
end

for lane = 1, #KEYS, 3 do
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[lane + 2], '-inf', NOW, 'LIMIT', 0, 1000)) do
    redis.call('ZREM', KEYS[lane + 2], member)
    redis.call('DEL', ARGV[3] .. member)
    local id, execution = string.match(member, '^(.*):([^:]*)$')
    if id then forget(member, id, execution) end
    if id and fields(ARGV[2] .. id, 'status') == 'started' then back(lane, id) end
  end
  for _, id in ipairs(redis.call('LRANGE', KEYS[lane + 1], 0, 999)) do
    local since, status = fields(ARGV[2] .. id, 'claimed_at', 'status')
    if not is_hash(ARGV[2] .. id) or status == 'canceled' then
      redis.call('LREM', KEYS[lane + 1], 1, id)
    elseif not since then
      redis.call('HSET', ARGV[2] .. id, 'claimed_at', NOW) -- a stock worker's: it has a lease's time to come back
    elseif tonumber(since) + lease <= NOW then
      redis.call('LREM', KEYS[lane + 1], 1, id)
      back(lane, id)
    end
  end
end
return recovered
