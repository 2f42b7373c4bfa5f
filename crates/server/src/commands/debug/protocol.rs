//! DEBUG PROTOCOL: a reply of each type, for tests of clients.

use crate::commands::Call;
use moonshard_engine::Error;

impl Call<'_, '_> {
    pub(super) fn debug_protocol(&mut self) -> Result<(), Error> {
        #[expect(clippy::approx_constant, reason = "Redis answers this number")]
        const DOUBLE: f64 = 3.141;
        let reply = &mut *self.reply;
        match self.args.raw(2).to_ascii_lowercase().as_slice() {
            b"string" => reply.bulk(b"Hello World"),
            b"integer" => reply.int(12345),
            b"double" => reply.double(DOUBLE),
            b"bignum" => reply.big_number(b"1234567999999999999999999999999999999"),
            b"null" => reply.null(),
            b"array" => {
                reply.array(3);
                (0..3).for_each(|number| reply.int(number));
            }
            b"set" => {
                reply.set(3);
                (0..3).for_each(|number| reply.int(number));
            }
            b"map" => {
                reply.map(3);
                for number in 0..3 {
                    reply.int(number);
                    reply.bool(number == 1);
                }
            }
            b"attrib" => {
                if reply.attribute(1) {
                    reply.bulk(b"key-popularity");
                    reply.array(2);
                    reply.bulk(b"key:123");
                    reply.int(90);
                }
                reply.bulk(b"Some real reply following the attribute");
            }
            b"push" => {
                if !reply.takes_pushes() {
                    return Err(Error::fixed("ERR RESP2 is not supported by this command"));
                }
                reply.push(2);
                reply.bulk(b"server-cpu-usage");
                reply.int(42);
                reply.bulk(b"Some real reply following the push reply");
            }
            b"true" => reply.bool(true),
            b"false" => reply.bool(false),
            b"verbatim" => reply.verbatim(b"txt", b"This is a verbatim\nstring"),
            _ => {
                return Err(Error::fixed(
                    "ERR Wrong protocol type name. Please use one of the following: \
                     string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
                ));
            }
        }
        Ok(())
    }
}
