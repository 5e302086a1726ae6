-- A call begins. ARGV: 1 its owner, 2 life of a pending key (ms). Answer: the value before. A key
-- that is absent, or has the record of a failed call that wanted the same, becomes pending. What a
-- call wants is the digest at bytes 2 to 33, of a value as of an owner.
local v = redis.call('GET', KEYS[1])
if v and (string.sub(v, 1, 1) ~= 'f' or string.sub(v, 2, 33) ~= string.sub(ARGV[1], 2, 33)) then
  return v
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return v
