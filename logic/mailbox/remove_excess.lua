-- Removes the `excess` oldest messages; none if it is negative.
excess = math.max(excess, 0)
if excess > 0 then
  for _, old in ipairs(redis.call('ZRANGE', KEYS[1], 0, excess - 1)) do leave(old, traced, 't') end
end
