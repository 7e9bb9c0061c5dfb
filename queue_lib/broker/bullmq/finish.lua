--[[
  The package's moveToFinished, whose KEYS and ARGV it shares, then the queue's retention by count, and what follows from
  a claim that came with it (follow.lua).
  BullMQ trims the whole set by what the job that ends asks for. A job that asked for nothing must not take others with
  it that did: those that the queue keeps stand in a list of their own, and only they are counted and deleted: by the
  package's function, which lets a parent go on that has waited for a dead child.
    KEYS[11] completed or failed (sorted set of job ids by when they ended)
    ARGV[1]  job id
    ARGV[2]  now, in milliseconds
    ARGV[5]  'completed' | 'failed'
    ARGV[7]  keys prefix; <prefix>retained:<completed | failed> is a sorted set of the ids that the queue keeps,
             <prefix>schedules:last a hash of how the last job of each scheduler has ended, <prefix>schedules:paused of
             those that an operator has paused (set_aside.py)
    ARGV[8]  msgpacked options; keepJobs.of_queue: how many jobs the queue keeps, where the job asked for nothing
]]
FOLLOW
local removeJob -- the package's
local function finish()
PACKAGE
end
local scheduler = redis.pcall('HGET', ARGV[7] .. ARGV[1], 'rjk')
local answer = finish()
local limit = cmsgpack.unpack(ARGV[8])['keepJobs']['of_queue']
local retained = ARGV[7] .. 'retained:' .. ARGV[5]
local has_ended = not (type(answer) == 'number' and answer < 0)
if has_ended and not limit then
  redis.call('ZREM', retained, ARGV[1]) -- an earlier job of the same id may stand there
elseif has_ended then
  redis.call('ZADD', retained, ARGV[2], ARGV[1])
  local surplus = math.min(redis.call('ZCARD', retained) - limit, 1000)
  local oldest = surplus > 0 and redis.call('ZPOPMIN', retained, surplus) or {}
  for i = 1, #oldest, 2 do
    local key = ARGV[7] .. oldest[i]
    if redis.call('ZREM', KEYS[11], oldest[i]) == 1 then -- else it was deleted, or runs again
      if not pcall(removeJob, oldest[i], false, ARGV[7]) then -- a key of its parent has a wrong type
        redis.call('DEL', key, key .. ':logs', key .. ':dependencies', key .. ':processed', key .. ':failed',
          key .. ':unsuccessful')
      end
    end
  end
end
local is_one = has_ended and type(scheduler) == 'string'
if is_one and type(redis.pcall('ZSCORE', ARGV[7] .. 'repeat', scheduler)) == 'string' then
  redis.pcall('HSET', ARGV[7] .. 'schedules:last', scheduler, ARGV[5] .. ' ' .. ARGV[2] .. ' ' .. ARGV[1])
  redis.pcall('HDEL', ARGV[7] .. 'schedules:paused', scheduler) -- the app has made it again
end
return follow(answer, ARGV[7], ARGV[2])
