// config_keys.h - the table of all keys of strictmx.toml, shared by every program of strictmx.
//
// Use: Config::load(config_keys(), ...). The man page strictmx.toml(5) is tested against it.
#pragma once

#include <span>

#include "common/base/config_file.h"

namespace strictmx::base {

// Top-level keys first, then section by section, as TOML wants it.
std::span<const ConfigKey> config_keys();

}  // namespace strictmx::base
