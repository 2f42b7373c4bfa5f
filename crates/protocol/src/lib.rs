//! RESP2 and RESP3: requests parsed in place, replies written to one buffer.
