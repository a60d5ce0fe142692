//! Whether this process may speak for its pixel engines and encoders: a self-test, run once and not before it is needed.
//!
//! It takes a tenth of a second or two, so it is asked where work of that kind is done anyway: never at a start, and never on
//! the node's loop.

use std::sync::LazyLock;

use codec::SelfTest;

/// What came of it in this process.
static HERE: LazyLock<SelfTest> = LazyLock::new(SelfTest::run);

/// What came of it; run by the first who asks.
pub fn here() -> &'static SelfTest {
    &HERE
}
