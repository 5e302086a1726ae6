-- Removes the `excess` oldest messages, and their fields in OWED; none if it is negative.
excess = math.max(excess, 0)
if excess > 0 then
  for _, old in ipairs(redis.call('ZRANGE', KEYS[1], 0, excess - 1)) do
    redis.call('HDEL', owed, string.sub(old, 1, 8))
  end
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, excess - 1)
end
