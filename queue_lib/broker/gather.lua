--[[
  Gather events of several jobs for some time; then one job takes all of them, by the server's clock.
    KEYS[1] <prefix>:pushmill:gathered:<gathering> (list: "<due, milliseconds since the epoch> <events left out> <bytes
            of the events> <first member>", then the events, the oldest first)
    KEYS[2] <KEYS[1]>:by:<member> (list: the same, once this member has taken it)
    KEYS[3] <KEYS[1]>:members (sorted set: the members of the last day by the millisecond of their coming)
    ARGV    the member, its event, for how many milliseconds to gather, how many events are kept, and how many bytes of
            them; the newest is kept whatever its size
  Returns "take", the number of events left out, and the events; or "wait" and milliseconds; or "left": the event is in
  good hands. A member that comes again adds nothing.
]]
local DAY, WEEK = 86400000, 604800000
local member, window = ARGV[1], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function head()
  local first = redis.call('LINDEX', KEYS[1], 0)
  if first then return string.match(first, '^(%d+) (%d+) (%d+) (.*)$') end
end

local function add()
  if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('RPUSH', KEYS[1], string.format('%.0f 0 0 ', now + window) .. member)
  end
  local due, out, bytes, first = head()
  local count = redis.call('RPUSH', KEYS[1], ARGV[2]) - 1
  redis.call('LPOP', KEYS[1])
  bytes = bytes + #ARGV[2]
  while count > 1 and (count > tonumber(ARGV[4]) or bytes > tonumber(ARGV[5])) do  -- older ones are only counted
    bytes = bytes - #redis.call('LPOP', KEYS[1])
    count, out = count - 1, out + 1
  end
  redis.call('LPUSH', KEYS[1], due .. string.format(' %.0f %.0f ', out, bytes) .. first)
  redis.call('ZADD', KEYS[3], now, member)
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - window - DAY)
  redis.call('PEXPIRE', KEYS[3], window + DAY)
  redis.call('PEXPIRE', KEYS[1], window + WEEK)
end

if redis.call('EXISTS', KEYS[2]) == 0 then
  local due, _, _, first = head()
  local has_come = first == member or redis.call('ZSCORE', KEYS[3], member)  -- the first one may come days late
  if not has_come then
    add()
    due, _, _, first = head()
  end
  if has_come and first ~= member then return {'left'} end
  if now < tonumber(due) then
    if first == member then return {'wait', string.format('%.0f', due - now)} end
    return {'left'}
  end
  redis.call('RENAME', KEYS[1], KEYS[2])
  redis.call('PEXPIRE', KEYS[2], WEEK)
end
local events = redis.call('LRANGE', KEYS[2], 0, -1)
events[1] = string.match(events[1], '^%d+ (%d+) ')
table.insert(events, 1, 'take')
return events
