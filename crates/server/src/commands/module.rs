//! MODULE LOAD, LOADEX and UNLOAD, which refuse: there are no modules.

use super::Call;
use moonshard_engine::Error;

const NOT_ALLOWED: Error = Error::fixed(
    "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a \
     local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
);

impl Call<'_, '_> {
    pub(super) fn module_load(&self) -> Result<(), Error> {
        self.check_module_allowed()?;
        Err(Error::fixed("ERR Error loading the extension. Please check the server logs."))
    }

    pub(super) fn module_unload(&self) -> Result<(), Error> {
        self.check_module_allowed()?;
        Err(Error::fixed("ERR Error unloading module: no such module with that name"))
    }

    fn check_module_allowed(&self) -> Result<(), Error> {
        if self.is_allowed(self.settings.enable_module_command) { Ok(()) } else { Err(NOT_ALLOWED) }
    }
}
