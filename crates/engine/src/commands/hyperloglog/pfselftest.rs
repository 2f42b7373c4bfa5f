//! PFSELFTEST.

use crate::commands::prelude::*;
use moonshard_store::hyperloglog::{DENSE_LEN, EMPTY, add, count, is_dense, make_dense};

pub(super) const PFSELFTEST: Command = Command {
    handler: Handler::Shard(pfselftest),
    meta: Meta {
        group: "hyperloglog",
        since: "2.8.9",
        summary: "An internal command for testing HyperLogLog values",
        complexity: "N/A",
        doc_flags: DocFlags::SYSCMD,
        ..Meta::new("pfselftest", Arity::Exact(1), Flags::ADMIN, Acl::HYPERLOGLOG)
    },
}
.checked();

/// Elements added: a tenth of what Redis adds, which takes it seconds.
const ELEMENTS: u64 = 1_000_000;
/// The error to be expected, in parts of the count: 1.04 by the root of the number of registers.
const STANDARD_ERROR: f64 = 1.04 / 128.0;

fn pfselftest(cx: &mut Ctx<'_>, _: Args<'_>) -> CmdResult {
    let failed = |what: &str| Err(Error::text(format!("ERR TESTFAILED {what}")));
    let sparse_len_max = cx.settings.hll_sparse_len_max;
    let (mut grown, mut dense) = (EMPTY.to_vec(), EMPTY.to_vec());
    if make_dense(&mut dense).is_err() || dense.len() != DENSE_LEN {
        return failed("empty value not converted");
    }
    let seed = cx.rng.next();
    let mut checkpoint = 1;
    for n in 1..=ELEMENTS {
        let element = (n ^ seed).to_le_bytes();
        let added = [&mut grown, &mut dense].map(|value| add(value, &element, sparse_len_max));
        if added[0].is_err() || added[0] != added[1] {
            return failed("dense/sparse disagree");
        }
        if n != checkpoint {
            continue;
        }
        if n < sparse_len_max as u64 / 2 && is_dense(&grown) {
            return failed("sparse encoding not used");
        }
        let (Ok(estimate), Ok(other)) = (count(&dense), count(&grown)) else {
            return failed("value corrupted");
        };
        if estimate != other {
            return failed("dense/sparse disagree");
        }
        let error = estimate.abs_diff(n);
        // Ten elements are few enough for two of them to meet.
        let allowed = if n == 10 { 1 } else { (STANDARD_ERROR * 6.0 * n as f64).ceil() as u64 };
        if error > allowed {
            return failed(&format!("Too big error. card:{n} abserr:{error}"));
        }
        checkpoint *= 10;
    }
    cx.reply.ok();
    DONE
}
