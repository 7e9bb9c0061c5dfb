--[[
  Find job schedulers that have no job to go on with: the last one has run, or is gone, and none followed it.
    KEYS[1] repeat (sorted set of scheduler ids by when their next job is due, in milliseconds)
    ARGV[1] keys prefix; <prefix>repeat:<id> is a scheduler's hash, <prefix>repeat:<id>:<due> its next job's
    ARGV[2] milliseconds since the epoch: whose job was due later is not looked at
    ARGV[3] how many are looked at
  Returns a list of {id, due, its hash as a flat list}.
]]
local found = {}
local overdue = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[2], 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES')
for i = 1, #overdue, 2 do
  local key = ARGV[1] .. 'repeat:' .. overdue[i]
  local job = key .. ':' .. overdue[i + 1]
  if redis.call('EXISTS', job) == 0 or redis.call('HEXISTS', job, 'finishedOn') == 1 then
    found[#found + 1] = {overdue[i], overdue[i + 1], redis.call('HGETALL', key)}
  end
end
return found
