--[[
  Put jobs whose worker has gone silent back to the front of their lane, and count the crash. No attempt is counted.
    for each lane:
    KEYS[n]   rq:queue:<lane> (list of job ids)
    KEYS[n+1] rq:queue:<lane>:intermediate (list of job ids: claimed, not yet started)
    KEYS[n+2] rq:wip:<lane> (sorted set of <job id>:<execution id>, scored by the second its lease ends)
    ARGV[1] now, seconds since the epoch     ARGV[2] length of a lease, seconds
    ARGV[3] prefix of the job hashes         ARGV[4] prefix of the execution hashes
  Returns the ids.
]]
local now, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
local recovered = {}

local function back(lane, id)
  redis.call('HINCRBY', ARGV[3] .. id, 'crashes', 1)
  redis.call('HSET', ARGV[3] .. id, 'status', 'queued')
  redis.call('LPUSH', KEYS[lane], id)
  table.insert(recovered, id)
end

for lane = 1, #KEYS, 3 do
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[lane + 2], '-inf', now, 'LIMIT', 0, 1000)) do
    redis.call('ZREM', KEYS[lane + 2], member)
    redis.call('DEL', ARGV[4] .. member)
    local id = string.match(member, '^(.*):[^:]*$')
    if id and redis.call('HGET', ARGV[3] .. id, 'status') == 'started' then back(lane, id) end
  end
  for _, id in ipairs(redis.call('LRANGE', KEYS[lane + 1], 0, 999)) do
    local since = redis.call('HGET', ARGV[3] .. id, 'claimed_at')
    if redis.call('EXISTS', ARGV[3] .. id) == 0 or redis.call('HGET', ARGV[3] .. id, 'status') == 'canceled' then
      redis.call('LREM', KEYS[lane + 1], 1, id)
    elseif not since then
      redis.call('HSET', ARGV[3] .. id, 'claimed_at', now) -- a stock worker's: it has a lease's time to come back
    elseif tonumber(since) + lease <= now then
      redis.call('LREM', KEYS[lane + 1], 1, id)
      back(lane, id)
    end
  end
end
return recovered
