-- Adds the beginning of a member, header and mark, to LIST if the message is traced: then the highest bit of its
-- expires_ms is set.
local traced = {}
local function trace(member, list)
  if (string.byte(member, 13) or 0) >= 128 then list[#list + 1] = string.sub(member, 1, 54) end
end
