--[[
  Adds many jobs to one queue, in their order. Behind `around.lua`, with the package's scripts as functions, which read
  their own KEYS and ARGV: `add_standard`, `add_delayed`, `add_prioritized`.
    KEYS  those of `addStandardJob` (9), of `addDelayedJob` (6) and of `addPrioritizedJob` (9)
    ARGV  for each job the name of its function, and its three arguments
  Returns what it has answered for the last job; an error of it ends the script.
]]
local add = {
  standard = {add_standard, {unpack(KEYS, 1, 9)}},
  delayed = {add_delayed, {unpack(KEYS, 10, 15)}},
  prioritized = {add_prioritized, {unpack(KEYS, 16, 24)}},
}
local answer
for place = 1, #ARGV, 4 do
  local one, keys = unpack(add[ARGV[place]])
  answer = one(keys, {ARGV[place + 1], ARGV[place + 2], ARGV[place + 3]})
  if type(answer) == 'table' and answer.err then return answer end
end
return answer
