-- What scripts see: the library of Redis' Lua, over tables that they cannot change.
--
-- Lua 5.1 has read-only tables only in Redis' own copy. Here each table that scripts share is hidden behind an empty
-- one, whose metatable reads from it and refuses writes; the functions that pass over metatables are wrapped. The
-- wrappers end in tail calls, so that errors name the script's own line and the function it called.
local native, libraries, strict = ...

local raw_assert, assert_message = assert, native.assert_message
local raw_collectgarbage, raw_getmetatable, raw_insert = collectgarbage, getmetatable, table.insert
local raw_next, raw_pairs, raw_pcall, raw_rawequal = next, pairs, pcall, rawequal
local raw_rawget, raw_rawset = rawget, rawset
local raw_remove, raw_setmetatable, raw_sort, raw_xpcall = table.remove, setmetatable, table.sort, xpcall
local raw_resume, raw_tostring, raw_wrap = coroutine.resume, tostring, coroutine.wrap
local check_stack, number_text, native_sort = native.check_stack, native.number_text, native.sort
local select, setfenv, type = select, setfenv, type
local gc_touched, killed, readonly, readonly_bare = native.gc_touched, native.killed, native.readonly, native.readonly_bare

-- From what scripts see to what is behind it.
local real = {}
-- The ones that have no metatable, as scripts are told.
local bare = {}

local function protect(contents)
  local seen = {}
  real[seen] = contents
  bare[seen] = true
  return raw_setmetatable(seen, { __index = contents, __newindex = readonly, __metatable = false })
end

local function copy(from, names)
  local to = {}
  for name in names:gmatch('%S+') do to[name] = from[name] end
  return to
end

local env = copy(_G, [[
  error ipairs rawequal select tonumber type unpack _VERSION gcinfo
]])
env._VERSION = 'Lua 5.1'

env.__redis__err__handler = native.error_handler

function env.assert(...)
  local holds, message = ...
  if not holds and message ~= nil and type(message) ~= 'string' and type(message) ~= 'number' then
    return assert_message(...)
  end
  return raw_assert(...)
end

function env.gcinfo()
  local kib = raw_collectgarbage('count')
  return kib - kib % 1
end

function env.collectgarbage(...)
  gc_touched()
  return raw_collectgarbage(...)
end

function env.getmetatable(...)
  if bare[(...)] then return nil end
  return raw_getmetatable(...)
end

-- The metatable of arrays is shared by all scripts, so they get only a name for it.
local array_mt, array_mt_name = libraries.cjson.array_mt, protect({})
array_mt.__metatable = array_mt_name
libraries.cjson.array_mt = array_mt_name

function env.setmetatable(...)
  if real[(...)] then return readonly_bare() end
  local _, meta = ...
  if raw_rawequal(meta, array_mt_name) then return raw_setmetatable((...), array_mt) end
  return raw_setmetatable(...)
end

function env.rawset(...)
  if real[(...)] then return readonly_bare() end
  return raw_rawset(...)
end

function env.rawget(...)
  local hidden = real[(...)]
  if hidden and select('#', ...) > 1 then return raw_rawget(hidden, (select(2, ...))) end
  return raw_rawget(...)
end

function env.next(...)
  local hidden = real[(...)]
  if hidden then return raw_next(hidden, (select(2, ...))) end
  return raw_next(...)
end

function env.pairs(...)
  if real[(...)] then return env.next, (...), nil end
  return raw_pairs(...)
end

-- Redis hands a script the text of an error that is a table.
local function caught(ok, ...)
  if not ok then
    local problem = ...
    if type(problem) == 'table' then
      local text = problem.err
      local kind = type(text)
      if kind == 'string' or kind == 'number' then return false, text end
    end
  end
  return ok, ...
end

function env.pcall(...)
  if select('#', ...) == 0 then return raw_pcall() end
  return caught(raw_pcall(...))
end

-- The handler runs while the debug hook does, so a killed script must not get into its own.
function env.xpcall(...)
  if select('#', ...) < 2 then return native.value_expected() end
  local body, handler = ...
  return raw_xpcall(body, function(problem)
    if killed() then return problem end
    return handler(problem)
  end)
end

-- LuaJIT leaves it to its users that what calls back from C does so without end on the C stack.
function env.tostring(...)
  local kind = type((...))
  if kind == 'table' then check_stack() end
  if kind == 'number' then
    local number = ...
    -- LuaJIT prints whole numbers of few digits right, and fast.
    if number % 1 ~= 0 or number >= 1e15 or number <= -1e15 then return number_text(number) end
  end
  -- C prints a null pointer so.
  if kind == 'userdata' and (...) == libraries.cjson.null then return 'userdata: (nil)' end
  return raw_tostring(...)
end

env.load, env.loadstring = native.load, native.loadstring

local math_library = copy(math, [[
  abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min modf pi pow rad sin
  sinh sqrt tan tanh
]])
math_library.mod = math.fmod
math_library.random, math_library.randomseed = native.random, native.randomseed

local string_library = copy(string, [[
  byte char dump format len lower reverse sub upper
]])
for name, fn in raw_pairs(native.string) do string_library[name] = fn end

-- Lua's own `find` is compiled where nothing is to be matched, and its own iterator wherever it is called. What needs
-- a pattern that may take long goes to functions that can be ended.
local raw_find, own_find, raw_gmatch, own_gmatch =
  string.find, native.string.find, string.gmatch, native.string.gmatch
local is_plain, is_quick = native.patterns.is_plain, native.patterns.is_quick
local plain, plain_count = {}, 0
raw_setmetatable(plain, { __index = function(_, text)
  local result = is_plain(text)
  if type(text) == 'string' and #text <= 64 then
    if plain_count == 1000 then
      for known in raw_pairs(plain) do plain[known] = nil end
      plain_count = 0
    end
    plain_count = plain_count + 1
    raw_rawset(plain, text, result)
  end
  return result
end })

function string_library.find(...)
  local _, pattern, _, is_text = ...
  if is_text or plain[pattern] then return raw_find(...) end
  return own_find(...)
end

function string_library.gmatch(...)
  if is_quick(...) then return raw_gmatch(...) end
  return own_gmatch(...)
end
string_library.gfind = string_library.gmatch

-- LuaJIT's takes a separator, which Lua 5.1 does not know.
local raw_rep = string.rep
function string_library.rep(...)
  if select('#', ...) > 2 then
    local text, count = ...
    return raw_rep(text, count)
  end
  return raw_rep(...)
end

local table_library = copy(table, 'concat foreach foreachi maxn')
table_library.getn = function(...)
  if type((...)) ~= 'table' then return raw_sort(...) end
  return #(...)
end
table_library.setn = native.setn

function table_library.insert(...)
  if real[(...)] then return readonly_bare() end
  if select('#', ...) > 2 then return native.insert(...) end
  return raw_insert(...)
end

function table_library.remove(...)
  if real[(...)] then return readonly_bare() end
  -- LuaJIT's own takes what is missing for nil.
  if type((...)) ~= 'table' then return raw_sort(...) end
  return raw_remove(...)
end

function table_library.sort(...)
  if real[(...)] then return readonly_bare() end
  if (select(2, ...)) == nil then return native_sort(...) end
  check_stack()
  return raw_sort(...)
end

env.math, env.string, env.table = protect(math_library), protect(string_library), protect(table_library)
local coroutine_library = copy(coroutine, 'create running status yield')

function coroutine_library.resume(...)
  check_stack()
  return raw_resume(...)
end

function coroutine_library.wrap(...)
  if type((...)) ~= 'function' then return raw_wrap(...) end
  local resume = raw_wrap(...)
  return function(...)
    check_stack()
    return resume(...)
  end
end

env.coroutine = protect(coroutine_library)
for name, contents in raw_pairs(libraries) do env[name] = protect(contents) end
-- Valkey's name for it.
env.server = env.redis

local of_strings = raw_getmetatable('')
of_strings.__index = string_library
of_strings.__metatable = protect({ __index = env.string })

if strict then
  env.load, env.loadstring, env.collectgarbage, env.coroutine = nil, nil, nil, nil
end

raw_setmetatable(env, { __index = native.nonexistent, __newindex = readonly })
local globals = {}
real[globals] = env
raw_setmetatable(globals, {
  __index = env, __newindex = readonly, __metatable = protect({ __index = native.nonexistent }),
})
raw_rawset(env, '_G', globals)

-- The globals of functions are those of scripts, without KEYS and ARGV and what only scripts may do.
local function_env = {}
for name, value in raw_next, env do function_env[name] = value end
function_env.__redis__err__handler = nil
function_env.redis = protect(copy(libraries.redis, [[
  call pcall log setresp sha1hex error_reply status_reply set_repl acl_check_cmd
  LOG_DEBUG LOG_VERBOSE LOG_NOTICE LOG_WARNING REPL_NONE REPL_AOF REPL_SLAVE REPL_REPLICA REPL_ALL
  REDIS_VERSION REDIS_VERSION_NUM
]]))
function_env.server = function_env.redis
local function_globals = {}
real[function_globals] = function_env
function_env._G = function_globals
raw_setmetatable(function_env, { __index = native.nonexistent, __newindex = readonly })
raw_setmetatable(function_globals, {
  __index = function_env, __newindex = readonly, __metatable = protect({ __index = native.nonexistent }),
})

-- While a library is loaded, there is only a `redis` that hardly does more than register functions.
local load_redis = copy(libraries.redis, [[
  log LOG_DEBUG LOG_VERBOSE LOG_NOTICE LOG_WARNING REDIS_VERSION REDIS_VERSION_NUM
]])
load_redis.register_function = native.register_function
raw_setmetatable(load_redis, { __index = native.nonexistent })
local shown_redis = protect(load_redis)
local load_env = raw_setmetatable({ redis = shown_redis, server = shown_redis }, { __index = native.nonexistent })

-- Runs a library's code. Its functions share the globals that it was loaded with, which are exchanged afterwards. One
-- that sets no global, which is `direct`, gets a copy of them: that is read faster than through a metatable.
local function load_library(code, direct)
  local meta = { __index = load_env, __newindex = readonly }
  local own = raw_setmetatable({}, meta)
  setfenv(code, own)
  code()
  if direct then
    for name, value in raw_next, function_env do raw_rawset(own, name, value) end
    meta.__index = native.nonexistent
  else
    meta.__index = function_env
  end
end

return env, globals, function_globals, load_library
