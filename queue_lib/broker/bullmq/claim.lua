-- The package's moveToActive, whose KEYS and ARGV it shares, and what follows from a claim (follow.lua).
--   ARGV[1] keys prefix     ARGV[2] now, in milliseconds
FOLLOW
local function claim()
PACKAGE
end
return follow(claim(), ARGV[1], ARGV[2])
