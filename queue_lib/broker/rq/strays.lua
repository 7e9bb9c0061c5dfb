--[[
  Find the jobs that a worker has claimed or started.
    for each lane:
    KEYS[n]   rq:queue:<lane>:intermediate (list of job ids: claimed, not yet started)
    KEYS[n+1] rq:wip:<lane> (sorted set of <job id>:<execution id>)
    ARGV[1] the worker's name     ARGV[2] prefix of the job hashes     ARGV[3] prefix of the execution hashes
  Returns {number of the lane from 1, id, member or '', ...}: the member of the started ones alone.
]]
local found = {}

local function add(key, id, member)
  table.insert(found, (key + 1) / 2)
  table.insert(found, id)
  table.insert(found, member)
end

for key = 1, #KEYS, 2 do
  for _, id in ipairs(redis.call('LRANGE', KEYS[key], 0, 999)) do
    if fields(ARGV[2] .. id, 'claimed_by') == ARGV[1] then add(key, id, '') end
  end
  for _, member in ipairs(redis.call('ZRANGE', KEYS[key + 1], 0, -1)) do
    if fields(ARGV[3] .. member, 'worker_name') == ARGV[1] then
      add(key, string.match(member, '^(.*):[^:]*$'), member)
    end
  end
end
return found
