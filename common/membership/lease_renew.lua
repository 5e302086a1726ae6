-- Renews a lease, removes leases that lapsed, and reads those of the watched kinds. A lease is a
-- field `id` in the hash imc:members:<kind>: a JSON object with the member, its ttl, and `expires`
-- by Redis's clock.
--
-- A lease lapses only while daemons run this script. "imc:members:seen" is when it ran last. After
-- a gap (Redis was away, or the whole cluster slept), every lease that was alive when the gap began
-- gets its whole ttl again. So nobody looks dead after an outage of Redis.
-- "imc:members:seen:since" is when the script ran first. For one ttl after that Redis may have lost
-- its data, and a member that is missing may still renew.
--
-- KEYS: 1 "imc:members:seen", then one hash per kind, in the enum's order.
-- ARGV: 1 own kind (0 …), 2 watched kinds (bits), 3 id, 4 epoch, 5 rpc, 6 the member as JSON,
--   7 ttl_ms, 8 gap_ms: if nobody ran the script for so long, there was a gap, 9 '1': we had the
--   lease of this epoch, 10 '1': we may replace a living lease with the same rpc, 11 the highest
--   node number, or -1: this kind has none.
-- Answer: status, node, rpc of the one who has the id, 1 if Redis may have lost leases less than
--   ttl_ms ago; then, per watched kind, an array of id, JSON, id, JSON …
-- Status: held; lost (our lease had lapsed, and nothing was written); other (another daemon has the
--   id); full (no node number is free).
local kind, watch, id = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local epoch, rpc, member = ARGV[4], ARGV[5], ARGV[6]
local ttl, gap, max_node = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[11])
local had, take = ARGV[9] == '1', ARGV[10] == '1'
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local seen = tonumber(redis.call('GET', KEYS[1]) or now) or now
local key = KEYS[1] .. ':since'
local since = tonumber(redis.call('GET', key) or '')
if not since or since > now then
  since = now
  redis.call('SET', key, string.format('%.0f', now))
end
local away = now - seen > gap
redis.call('SET', KEYS[1], string.format('%.0f', now))

-- The member in a lease's text; nil: it is none. A ttl is below an hour. That also excludes NaN,
-- which cjson reads.
local function decode(text)
  local ok, m = pcall(cjson.decode, text)
  if ok and type(m) == 'table' and type(m.expires) == 'number' and
      type(m.ttl) == 'number' and m.ttl < 3600000 then return m end
end

local texts = {}

local function read(key)
  local live, all = {}, redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local text = all[i + 1]
    local m = decode(text)
    -- It was alive when Redis went away, or it was written before Redis's clock was set back.
    if m and ((away and m.expires > seen) or m.expires > now + m.ttl) then
      m.expires = now + m.ttl
      local ok, new = pcall(cjson.encode, m)
      if ok then
        text = new
        redis.call('HSET', key, all[i], text)
      else
        m = nil
      end
    end
    if m and m.expires > now then
      live[all[i]], texts[m] = m, text
    else
      redis.call('HDEL', key, all[i])
    end
  end
  return live
end

local function watched(k)
  return math.floor(watch / 2 ^ k) % 2 == 1
end

local live = {}
for k = 0, #KEYS - 2 do
  if k == kind or watched(k) or away then live[k] = read(KEYS[k + 2]) end
end

local function free_node()
  local used = {}
  for other, m in pairs(live[kind]) do
    local node = tonumber(m.node)
    if other ~= id and node and node == node then used[node] = true end
  end
  for node = 0, max_node do
    if not used[node] then return node end
  end
end

local mine, node, status, other = live[kind][id], 0, 'held', ''
if mine and mine.epoch == epoch then
  node = tonumber(mine.node) or 0
elseif mine and not (take and rpc ~= '' and mine.rpc == rpc) then
  status, other = 'other', tostring(mine.rpc)
elseif not mine and had then
  status = 'lost'
elseif max_node >= 0 then
  node = free_node()
  if not node then status = 'full' end
end
if status == 'held' then
  local m = cjson.decode(member)
  m.node, m.expires = node, now + ttl
  live[kind][id], texts[m] = m, cjson.encode(m)
  redis.call('HSET', KEYS[kind + 2], id, texts[m])
end

local answer = {status, node or 0, other, now - since < ttl and 1 or 0}
for k = 0, #KEYS - 2 do
  if watched(k) then
    local list = {}
    for name, m in pairs(live[k]) do
      list[#list + 1] = name
      list[#list + 1] = texts[m]
    end
    answer[#answer + 1] = list
  end
end
return answer
