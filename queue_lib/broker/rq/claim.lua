--[[
  Claim the next job of a queue: move what is due into the lanes, then take from the first lane that has a job,
  within the rate limit and the concurrency that are shared with BullMQ.
    KEYS[1] BullMQ's rate limiter (string, counter with expiry)
    KEYS[2] BullMQ's meta of the queue (hash: paused, max, duration, concurrency)
    KEYS[3] rq:suspended (string)
    KEYS[4] BullMQ's active jobs (list)
    then for each lane, first the most urgent:
    KEYS[n]   rq:queue:<lane> (list of job ids)
    KEYS[n+1] rq:queue:<lane>:intermediate (list of job ids)
    KEYS[n+2] rq:scheduled:<lane> (sorted set of job ids, scored by second)
    KEYS[n+3] rq:wip:<lane> (sorted set of running executions)
    ARGV[1] jobs in one window (0: no limit)   ARGV[2] length of the window, milliseconds
    ARGV[3] prefix of the job hashes           ARGV[4] the worker's name
  Returns {'job', number of the lane from 1, id, fields, now (seconds since the epoch), 1 if there is a concurrency,
          a list of the keys of the job that held another kind of value and were removed}
        | {'gone', id} | {'limited', milliseconds} | {'paused'} | {'full'}
        | {'empty', milliseconds until the next scheduled job is due or ''}
]]
local function promote(lane)
  local due = redis.call('ZRANGEBYSCORE', KEYS[lane + 2], '-inf', NOW, 'WITHSCORES', 'LIMIT', 0, 100)
  for place = 1, #due, 2 do
    local id = due[place]
    redis.call('ZREM', KEYS[lane + 2], id)
    local job = ARGV[3] .. id
    if is_hash(job) then
      local front, on_retry, ended = fields(job, 'enqueue_at_front', 'enqueue_at_front_on_retry', 'ended_at')
      local urgent = front == '1' or (on_retry == '1' and ended and ended ~= '')
      redis.call('HSET', job, 'status', 'queued', 'enqueued_at', iso(NOW), 'promoted_at', iso(NOW), 'due_at', due[place + 1])
      redis.call(urgent and 'LPUSH' or 'RPUSH', KEYS[lane], id)
    end
  end
end

-- Remove what is no value of RQ's under the keys that RQ keeps beside a job: the job could be neither started nor settled
-- over it, and would come back to the front of its lane for ever. RQ itself removes these keys with the job.
local function without_strangers(id)
  local strangers = {}
  for kind, key in pairs({set = ARGV[3] .. id .. ':dependents', zset = RQ .. ':executions:' .. id, stream = RQ .. ':results:' .. id}) do
    local found = redis.call('TYPE', key).ok
    if found ~= kind and found ~= 'none' then
      redis.call('UNLINK', key)
      strangers[#strangers + 1] = key .. ' was a ' .. found
    end
  end
  return strangers
end

-- Whether jobs wait, and as many run as may: those of both wires, as BullMQ's scripts count them, too.
local function is_full(concurrency)
  local waiting, running = 0, redis.call('LLEN', KEYS[4])
  for lane = 5, #KEYS, 4 do
    waiting = waiting + redis.call('LLEN', KEYS[lane])
    running = running + redis.call('LLEN', KEYS[lane + 1]) + redis.call('ZCARD', KEYS[lane + 3])
  end
  return waiting > 0 and running >= concurrency
end

if redis.call('EXISTS', KEYS[3]) == 1 then return {'paused'} end
local meta = redis.call('HMGET', KEYS[2], 'paused', 'max', 'duration', 'concurrency')
if meta[1] then return {'paused'} end

-- A limit that the app has set for all workers wins, with its window.
local max, duration = tonumber(ARGV[1]), tonumber(ARGV[2])
if meta[2] then max, duration = tonumber(meta[2]), tonumber(meta[3]) or duration end
if max > 0 and tonumber(redis.call('GET', KEYS[1]) or 0) >= max then
  local left = redis.call('PTTL', KEYS[1])
  if left == -1 then
    redis.call('PEXPIRE', KEYS[1], duration)
    left = duration
  end
  if left > 0 then return {'limited', left} end
  redis.call('DEL', KEYS[1])  -- its last millisecond: the job opens the next window, as in BullMQ's scripts
end

for lane = 5, #KEYS, 4 do promote(lane) end
if meta[4] and is_full(tonumber(meta[4])) then return {'full'} end

for lane = 5, #KEYS, 4 do
  local id = redis.call('LMOVE', KEYS[lane], KEYS[lane + 1], 'LEFT', 'RIGHT')
  if id then
    local fields = redis.pcall('HGETALL', ARGV[3] .. id)
    if fields.err or #fields == 0 then
      redis.call('LREM', KEYS[lane + 1], 1, id)
      return {'gone', id}
    end
    if max > 0 and redis.call('INCR', KEYS[1]) == 1 then redis.call('PEXPIRE', KEYS[1], duration) end
    redis.call('HSET', ARGV[3] .. id, 'claimed_at', NOW, 'claimed_by', ARGV[4])
    return {'job', (lane - 1) / 4, id, fields, string.format('%.6f', NOW), meta[4] and 1 or 0, without_strangers(id)}
  end
end

local due = ''
for lane = 5, #KEYS, 4 do
  local first = redis.call('ZRANGE', KEYS[lane + 2], 0, 0, 'WITHSCORES')[2]
  if first and (due == '' or tonumber(first) < tonumber(due)) then due = first end
end
return {'empty', due == '' and '' or math.ceil((tonumber(due) - NOW) * 1000)}
