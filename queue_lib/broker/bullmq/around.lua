--[[
  Put in front of each of the package's scripts, which are those of bullmq 6: what they ask of Redis goes through
  `redis.call` at the end of this file. With <queue> for what the queue's keys begin with, this reads and writes
    <queue>meta   (hash: paused, version, concurrency, max, duration)
    <queue>wait   (list of job ids)
    <queue>paused (list of job ids)
    <queue>active (list of job ids)
    <queue>marker (sorted set: workers that wait for jobs take from it)
]]
local call = redis.call
local instead = {}

-- The major of bullmq that the app has: the Node client that opened the queue last. nil if it is not told, or a Pro's.
local function major_of(version)
  return tonumber(string.match(version or '', '^bullmq:(%d+)%.'))
end

local function ends(key, name) return string.sub(key, -#name - 1) == ':' .. name end
local function queue_of(key, name) return string.sub(key, 1, -#name - 1) end

-- Whether the waiting jobs of a queue belong into `paused`. bullmq 5 keeps them there while the queue is paused, and its
-- `resume` renames that list over `wait`: a job in `wait` would be lost. bullmq 6 leaves them where they are, and puts
-- together what it finds in both. So `paused` is where they are safe, if it is not known that the app has bullmq 6.
local function are_set_aside(queue)
  local paused, version = unpack(call('HMGET', queue .. 'meta', 'paused', 'version'))
  if not paused then return false end
  local major = major_of(version)
  return not major or major < 6 or call('EXISTS', queue .. 'paused') == 1
end

-- Where a job waits: the list itself, or the one aside, with all that is in the list.
local function place_in(wait)
  local queue = queue_of(wait, 'wait')
  if not are_set_aside(queue) then return wait end
  local aside = queue .. 'paused'
  if call('EXISTS', wait) == 1 then
    if call('EXISTS', aside) == 0 then
      call('RENAME', wait, aside)
    else
      while call('RPOPLPUSH', wait, aside) do end
    end
  end
  return aside
end

function instead.LPUSH(key, ...)
  return call('LPUSH', ends(key, 'wait') and place_in(key) or key, ...)
end

function instead.RPUSH(key, ...)
  return call('RPUSH', ends(key, 'wait') and place_in(key) or key, ...)
end

-- How many jobs of a queue run at once, where the app has limited that: RQ's count, too. BullMQ's scripts are given what
-- those leave. The keys are RQ's lists of claimed and sorted sets of started jobs, of the queue's three lanes.
local function count(command, key)
  local found = redis.pcall(command, key)  -- in a cluster, where nobody serves RQ, its keys may be on another node
  return type(found) == 'number' and found or 0
end

function instead.HMGET(key, ...)
  local found = call('HMGET', key, ...)
  if ends(key, 'meta') and select(2, ...) == 'concurrency' and found[2] then
    local name = string.match(key, '([^:]*):meta$')
    for _, lane in ipairs({name .. '-high', name, name .. '-low'}) do
      found[2] = found[2] - count('ZCARD', 'rq:wip:' .. lane) - count('LLEN', 'rq:queue:' .. lane .. ':intermediate')
    end
  end
  return found
end

-- A job that ends makes room, where the app has limited how many run at once. Who was told that there is none waits for
-- the marker, and the package tells nobody: a Node worker takes the next job with the completion of the last.
function instead.LREM(key, ...)
  local removed = call('LREM', key, ...)
  if removed > 0 and ends(key, 'active') then
    local queue = queue_of(key, 'active')
    local concurrency, paused = unpack(call('HMGET', queue .. 'meta', 'concurrency', 'paused'))
    if concurrency and not paused then call('ZADD', queue .. 'marker', 0, '0') end
  end
  return removed
end

-- A limit that the app has set for all workers has the app's window, too. The package takes the worker's.
function instead.PEXPIRE(key, milliseconds)
  if ends(key, 'limiter') then
    local max, theirs = unpack(call('HMGET', queue_of(key, 'limiter') .. 'meta', 'max', 'duration'))
    milliseconds = max and theirs or milliseconds
  end
  return call('PEXPIRE', key, milliseconds)
end

-- What to answer, where the app's bullmq is of a time before the markers that tell of jobs; else nil.
local function refusal(meta)
  local version = call('HGET', meta, 'version')
  local major = major_of(version)
  if major and major < 5 then return redis.error_reply('OUTDATED ' .. meta .. ' says ' .. version) end
end

local redis = {
  error_reply = redis.error_reply,
  pcall = redis.pcall,
  call = function(command, ...)
    if instead[command] then return instead[command](...) end
    return call(command, ...)
  end,
}
