--[[
  Find job schedulers that have no job to go on with: the last one has run, or is gone, and none followed it. Those that
  have come to their limit or their end date are passed over. One page of a look at many: it holds Redis up no longer.
    KEYS[1] repeat (sorted set of scheduler ids by when their next job is due, in milliseconds)
    ARGV[1] keys prefix; <prefix>repeat:<id> is a scheduler's hash, <prefix>repeat:<id>:<due> its next job's
    ARGV[2], ARGV[3] milliseconds since the epoch: whose job was due from the first to the second is looked at
    ARGV[4], ARGV[5] how many of these are passed over, how many are looked at
    ARGV[6] milliseconds since the epoch: now
  Returns {how many were looked at, a list of {id, due, its hash as a flat list, nothing of a key that holds none}}.
]]
local function ended(key)
  local told = redis.pcall('HMGET', key, 'ic', 'limit', 'endDate')
  local count, limit, last = tonumber(told[1]), tonumber(told[2]), tonumber(told[3])
  return (count and limit and count >= limit) or (last and last < tonumber(ARGV[6]))
end

local found = {}
local due = redis.call('ZRANGE', KEYS[1], ARGV[2], ARGV[3], 'BYSCORE', 'LIMIT', ARGV[4], ARGV[5], 'WITHSCORES')
for i = 1, #due, 2 do
  local key = ARGV[1] .. 'repeat:' .. due[i]
  local job = key .. ':' .. due[i + 1]
  if not ended(key) and (redis.call('EXISTS', job) == 0 or redis.pcall('HEXISTS', job, 'finishedOn') == 1) then
    local record = redis.pcall('HGETALL', key)
    found[#found + 1] = {due[i], due[i + 1], not record.err and record or nil}
  end
end
return {#due / 2, found}
