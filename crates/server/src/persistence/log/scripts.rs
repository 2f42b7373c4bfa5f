//! Scripts in the log that nobody has loaded on purpose.

use super::State;
use crate::server::Server;
use moonshard_aof::EVALUATED_ANNOTATION;
use moonshard_scripting::Script;
use std::sync::Arc;

impl Server {
    /// Records a script that only EVAL has made known, as one that is loaded behind an annotation: Redis, which passes
    /// over that, has it loaded.
    #[cold]
    pub fn log_evaluated(&self, script: &Arc<Script>) {
        if self.persistence.log.state() == State::Off {
            return;
        }
        self.scripts.registry.tell_once(script, || {
            self.log_annotated(EVALUATED_ANNOTATION, &[b"SCRIPT", b"LOAD", &script.source]);
        });
    }
}
