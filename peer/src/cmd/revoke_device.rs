//! `revoke-device`: ends what a lost machine may do.

use clap::Args;

use super::{Act, Context, Guarded};
use crate::api::{Code, Failure};

/// End for good what one of your devices may do: for a lost or stolen machine
///
/// Every member's peer refuses it links and holds what it writes from then on; what this device has seen of it stays. What
/// is on its disk cannot be taken back. Asks whether you are sure, and for the password. Again for the same device, it writes
/// the revocation into albums that came since.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  calotype revoke-device laptop --yes
  /revokeDevice laptop")]
pub struct RevokeDevice {
    /// Name of the device, or the first digits of its key; /devices shows both
    pub device: String,
}

impl RevokeDevice {
    pub(super) fn act(self, at: &Context<'_>) -> Result<Act, Failure> {
        let sure = at.each.yes;
        if !sure && !at.asks() {
            return Err(Failure::new(
                Code::Usage,
                "a revoked device stays so for ever, and nobody can be asked here whether you are sure",
                "say it with --yes",
            ));
        }
        let from = at.own_password("/revokeDevice DEVICE")?;
        let what = Guarded::RevokeDevice {
            device: self.device,
            sure,
        };
        Ok(Act::Guarded { what, from })
    }
}
