--[[
  Set the record of a scheduler aside, and take the scheduler out with the job that was to come, in one step.
    KEYS[1..3], ARGV: those of the package's removeJobScheduler, which takes it out
    KEYS[4] schedules:paused (hash: id -> the record as JSON)
    ARGV[1] the scheduler's id
  Returns 0; 1 if there is no such scheduler.
]]
local function take_out()
PACKAGE
end
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  local record, fields = {}, redis.call('HGETALL', KEYS[1] .. ':' .. ARGV[1])
  for i = 1, #fields, 2 do record[fields[i]] = fields[i + 1] end
  redis.call('HSET', KEYS[4], ARGV[1], cjson.encode(record))
end
return take_out()
