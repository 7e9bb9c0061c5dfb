--[[
  Forget what was set aside of a paused schedule, if it runs again by now: another operator may have paused it anew.
    KEYS[1] repeat (sorted set of scheduler ids); KEYS[1]:<id> is a scheduler's record, a hash
    KEYS[2] schedules:paused (hash: id -> the record as JSON)
    ARGV[1] the schedule's id
    ARGV[2] how many jobs it has added before: BullMQ counts anew, in `ic`
]]
if redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('HDEL', KEYS[2], ARGV[1]) == 1 then
  redis.call('HINCRBY', KEYS[1] .. ':' .. ARGV[1], 'ic', ARGV[2])
end
