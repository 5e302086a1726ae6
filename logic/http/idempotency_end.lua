-- A call ends. ARGV: 1 its owner, 2 the new value, or '' to delete the key, 3 life (ms). Nothing
-- happens unless the key is pending for this owner: if it has lapsed, another call may have it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
