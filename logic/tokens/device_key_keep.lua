-- A session with a key is still open: its key lives on, unless it belongs to another user now.
-- ARGV: 1 uid, 2 how long it lives (ms). Answer: 1, or 0 if it is another's.
local owner = redis.call('GET', KEYS[1])
if not owner then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
elseif owner == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
else
  return 0
end
return 1
