--[[
  Put in front of our scripts. RQ is the prefix of RQ's keys.
]]
-- Workers' clocks differ: whatever two of them compare is told by the server's.
local clock = redis.call('TIME')
local NOW = tonumber(clock[1]) + tonumber(clock[2]) / 1000000 -- seconds since the epoch

-- A moment as RQ writes it. The date is counted in years that begin with March (Hinnant's civil_from_days).
local function iso(seconds)
  local days, rest = math.floor(seconds / 86400) + 719468, math.floor(seconds % 86400)
  local era = math.floor(days / 146097)
  local day = days - era * 146097
  local year = math.floor((day - math.floor(day / 1460) + math.floor(day / 36524) - math.floor(day / 146096)) / 365)
  day = day - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * day + 2) / 153)
  day = day - math.floor((153 * month + 2) / 5) + 1
  month = month < 10 and month + 3 or month - 9
  year = year + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', year, month, day, math.floor(rest / 3600),
    math.floor(rest / 60) % 60, rest % 60, math.floor(seconds % 1 * 1000000))
end

-- Anybody may have put another kind of value where a hash of RQ's would be: it is none, and stops no script.
local function is_hash(key)
  return redis.call('TYPE', key).ok == 'hash'
end

-- Fields of a hash; nothing where it is none.
local function fields(key, ...)
  local found = redis.pcall('HMGET', key, ...)
  if not found.err then return unpack(found) end
end

-- Run what RQ has written into a pipeline. It scores sorted sets by the clock of its process, which said `then_`.
local function run(commands, then_)
  for _, command in ipairs(commands) do
    local score = command[1] == 'ZADD' and tonumber(command[#command - 1])
    if score then command[#command - 1] = string.format('%.3f', score + NOW - then_) end
    redis.call(unpack(command))
  end
end

-- Delete all of a job that is in no list and no registry any more. Returns how many hashes that were.
local function delete_job(id)
  local job = RQ .. ':job:' .. id
  redis.call('UNLINK', job .. ':dependents', job .. ':dependencies', RQ .. ':results:' .. id, RQ .. ':executions:' .. id)
  return redis.call('UNLINK', job)
end

-- Delete the oldest finished jobs beyond `count`; `kept` is a list of the executions that have finished jobs which are
-- left to the queue's retention, the oldest first. A job that ran again meanwhile, or was deleted, is passed over.
local function trim(kept, count, at_once)
  for _ = 1, math.min(at_once, redis.call('LLEN', kept) - count) do
    local member = redis.call('LPOP', kept)
    local id = string.match(member, '^(.*):[^:]*$')
    local status, settled_by, lane = fields(RQ .. ':job:' .. id, 'status', 'settled_by', 'origin')
    if status == 'finished' and settled_by == member then
      redis.call('ZREM', RQ .. ':finished:' .. lane, id)
      delete_job(id)
    end
  end
end
