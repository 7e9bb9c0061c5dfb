--[[
  Adds many jobs to one queue, in their order. Behind `around.lua`, with the package's `addStandardJob` as the function
  `add_one`, which reads its own KEYS and ARGV.
    KEYS  those of `addStandardJob`
    ARGV  its four arguments for each job
  Returns what it has answered for the last job; an error of it ends the script.
]]
local answer
for place = 1, #ARGV, 4 do
  answer = add_one(KEYS, {ARGV[place], ARGV[place + 1], ARGV[place + 2], ARGV[place + 3]})
  if type(answer) == 'table' and answer.err then return answer end
end
return answer
