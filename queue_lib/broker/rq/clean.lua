--[[
  Delete jobs that have ended, and when that is said long ago, out of a part of a registry.
    KEYS[1] rq:finished:<lane> or rq:failed:<lane> (sorted set of job ids)
    ARGV[1] rank in the registry from which to look     ARGV[2] how many to look at
    ARGV[3] seconds since the end of those that are to go
  Returns how many it deleted, how many it left, and how many it looked at: some were gone before.
]]
local from = tonumber(ARGV[1])
local before = iso(NOW - tonumber(ARGV[3]))
local deleted, left = 0, 0

local function is_over(status, ended)
  if status == 'started' or status == 'queued' or status == 'scheduled' then return false end
  return not (ended and string.match(ended, '^%d%d%d%d%-%d%d%-%d%dT')) or ended <= before
end

local ids = redis.call('ZRANGE', KEYS[1], from, from + tonumber(ARGV[2]) - 1)
for _, id in ipairs(ids) do
  local status, ended, group = fields(RQ .. ':job:' .. id, 'status', 'ended_at', 'group_id')
  if is_over(status, ended) then
    if group and group ~= '' then redis.call('SREM', RQ .. ':group:' .. group, id) end
    redis.call('ZREM', KEYS[1], id)
    deleted = deleted + delete_job(id)
  else
    left = left + 1
  end
end
return {deleted, left, #ids}
