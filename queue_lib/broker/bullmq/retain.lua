--[[
  Delete the finished jobs of one page that are past their time: each by its own option; by the queue's age where it
  has none. The package's cleanJobsInSet deletes them: it is given a set in which they alone are. A parent that waits for
  one of them goes on.
    KEYS[1]  a set of this script's own, empty before and after it; no id of a job can be its name
    KEYS[2]  event stream
    KEYS[3]  repeat (sorted set of job schedulers)
    KEYS[4]  completed or failed (sorted set of job ids by when they ended, in milliseconds)
    ARGV[1]  keys prefix
    ARGV[2]  now, in milliseconds
    ARGV[3]  0: no limit for the package's script
    ARGV[4]  'completed' | 'failed'
    ARGV[5]  the option's name: 'removeOnComplete' | 'removeOnFail'
    ARGV[6]  the queue's age, in seconds
    ARGV[7]  rank of the page's first job, oldest first
    ARGV[8]  size of a page
  Returns the rank at which the next page begins; nothing after the last page.
]]
local function delete()
PACKAGE
end

-- What a job asked for, as keepJobs has it: {age in seconds, count}; -1 is no bound.
local function bounds(key)
  local read, opts = pcall(cjson.decode, redis.pcall('HGET', key, 'opts'))
  local option = read and type(opts) == 'table' and opts[ARGV[5]]
  if not read or option == nil or option == cjson.null then return {age = tonumber(ARGV[6])} end
  if option == true then return {count = 0} end
  if type(option) == 'number' then return {count = option} end
  return type(option) == 'table' and option or {}
end

local function is_past(bound, ended, newer)
  local age, count = tonumber(bound.age), tonumber(bound.count)
  return (age and ended + age * 1000 <= tonumber(ARGV[2])) or (count and count >= 0 and newer >= count)
end

local first, size = tonumber(ARGV[7]), tonumber(ARGV[8])
local page = redis.call('ZRANGE', KEYS[4], first, first + size - 1, 'WITHSCORES')
local total, doomed = redis.call('ZCARD', KEYS[4]), 0
for i = 1, #page, 2 do
  local newer = total - first - (i + 1) / 2
  if is_past(bounds(ARGV[1] .. page[i]), tonumber(page[i + 1]), newer) then
    redis.call('ZADD', KEYS[1], 0, page[i])
    redis.call('ZREM', KEYS[4], page[i])
    doomed = doomed + 1
  end
end
if doomed > 0 then delete() end
return #page == 2 * size and first + size - doomed or nil
