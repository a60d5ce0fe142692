//! Passwords by OPAQUE (RFC 9807): the central learns neither the password nor anything to guess it from
//! except its own database. Suite: ristretto255, 3DH with SHA-512, Argon2id.
//!
//! Everything here decides whether a password registered once fits for ever; it is part of the format.

use opaque_ke::argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::ciphersuite::CipherSuite;
use opaque_ke::errors::InternalError;
use opaque_ke::generic_array::{ArrayLength, GenericArray};
use opaque_ke::rand::rngs::OsRng;
use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
    CredentialFinalization, CredentialRequest, CredentialResponse, Identifiers, RegistrationRequest,
    RegistrationResponse, RegistrationUpload, ServerLogin, ServerLoginParameters, ServerRegistration,
    ServerSetup,
};
use zeroize::Zeroizing;

use crate::limits::PASSWORD_BYTES_MAX;
use crate::proto::Nonce;

/// Argon2id memory, KiB. Paid by the client alone, once per login.
pub const ARGON2_KIB: u32 = 64 * 1024;
/// Argon2id passes.
pub const ARGON2_PASSES: u32 = 2;
/// Argon2id lanes.
pub const ARGON2_LANES: u32 = 1;

const SERVER: &[u8] = b"calotype 1 central";
const CONTEXT: &[u8] = b"calotype 1 central password\n";

/// Why a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Empty or longer than [`PASSWORD_BYTES_MAX`].
    #[error("a password has 1 to {PASSWORD_BYTES_MAX} bytes")]
    Length,
    /// The password is not the account's, or there is no such account: nobody can tell which.
    #[error("wrong name or password")]
    Wrong,
    /// Bytes that are no message of this step.
    #[error("not an OPAQUE message of this step")]
    Malformed,
}

/// The cipher suite.
struct Suite;

impl CipherSuite for Suite {
    type OprfCs = opaque_ke::Ristretto255;
    type KeyExchange = opaque_ke::TripleDh<opaque_ke::Ristretto255, sha2::Sha512>;
    type Ksf = Stretch;
}

/// Argon2id with our parameters; `argon2::Argon2::default()` may change with that crate.
#[derive(Default)]
struct Stretch;

impl opaque_ke::ksf::Ksf for Stretch {
    fn hash<L: ArrayLength<u8>>(
        &self,
        input: GenericArray<u8, L>,
    ) -> Result<GenericArray<u8, L>, InternalError> {
        let params = Params::new(ARGON2_KIB, ARGON2_PASSES, ARGON2_LANES, Some(L::USIZE))
            .map_err(|_| InternalError::KsfError)?;
        let mut output = GenericArray::default();
        // The input is already keyed by the account's OPRF key, so RFC 9807 allows a constant salt.
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(&input, &[0; 16], &mut output)
            .map_err(|_| InternalError::KsfError)?;
        Ok(output)
    }
}

fn identifiers(name: &str) -> Identifiers<'_> {
    Identifiers {
        client: Some(name.as_bytes()),
        server: Some(SERVER),
    }
}

/// Binds a login to its connection: a transcript is worth nothing on another.
fn context(nonce: &Nonce) -> Vec<u8> {
    [CONTEXT, &nonce.0].concat()
}

/// What a right password gives its user alone: 64 bytes.
pub type ExportKey = Zeroizing<Vec<u8>>;

/// A client in the middle of registering.
pub struct Registering {
    name: String,
    password: Zeroizing<String>,
    state: ClientRegistration<Suite>,
}

impl Registering {
    /// The state and the `request` of `register-start`.
    pub fn start(name: &str, password: &str) -> Result<(Self, Vec<u8>), PasswordError> {
        let password = checked(password)?;
        let start = ClientRegistration::<Suite>::start(&mut OsRng, password.as_bytes())
            .map_err(|_| PasswordError::Malformed)?;
        let request = start.message.serialize().to_vec();
        Ok((
            Self {
                name: name.to_owned(),
                password,
                state: start.state,
            },
            request,
        ))
    }

    /// The `upload` of `register-finish`. Takes Argon2's time: not for an async thread.
    pub fn finish(self, response: &[u8]) -> Result<Vec<u8>, PasswordError> {
        let response = RegistrationResponse::deserialize(response).map_err(|_| PasswordError::Malformed)?;
        let params = ClientRegistrationFinishParameters::new(identifiers(&self.name), None);
        self.state
            .finish(&mut OsRng, self.password.as_bytes(), response, params)
            .map(|finish| finish.message.serialize().to_vec())
            .map_err(|_| PasswordError::Malformed)
    }
}

/// A client in the middle of logging in.
pub struct LoggingIn {
    name: String,
    nonce: Nonce,
    password: Zeroizing<String>,
    state: ClientLogin<Suite>,
}

impl LoggingIn {
    /// The state and the `request` of `login-start`.
    pub fn start(name: &str, password: &str, nonce: Nonce) -> Result<(Self, Vec<u8>), PasswordError> {
        let password = checked(password)?;
        let start = ClientLogin::<Suite>::start(&mut OsRng, password.as_bytes())
            .map_err(|_| PasswordError::Malformed)?;
        let request = start.message.serialize().to_vec();
        Ok((
            Self {
                name: name.to_owned(),
                nonce,
                password,
                state: start.state,
            },
            request,
        ))
    }

    /// The `finalization` of `login-finish` and the export key, or [`PasswordError::Wrong`]: the client knows first.
    /// The key is the same at each login with this password, and the central never has it. Takes Argon2's time: not for
    /// an async thread.
    pub fn finish(self, response: &[u8]) -> Result<(Vec<u8>, ExportKey), PasswordError> {
        let response = CredentialResponse::deserialize(response).map_err(|_| PasswordError::Malformed)?;
        let context = context(&self.nonce);
        let params = ClientLoginFinishParameters::new(Some(&context), identifiers(&self.name), None);
        self.state
            .finish(&mut OsRng, self.password.as_bytes(), response, params)
            .map(|finish| {
                let key = Zeroizing::new(finish.export_key.to_vec());
                (finish.message.serialize().to_vec(), key)
            })
            .map_err(|_| PasswordError::Wrong)
    }
}

fn checked(password: &str) -> Result<Zeroizing<String>, PasswordError> {
    match password.len() {
        1..=PASSWORD_BYTES_MAX => Ok(Zeroizing::new(password.to_owned())),
        _ => Err(PasswordError::Length),
    }
}

/// The central's secret of all its accounts. Lost, every password is; sessions by device key are not.
pub struct Setup(ServerSetup<Suite>);

/// The central's half of a login under way.
pub struct Challenge {
    name: String,
    nonce: Nonce,
    state: ServerLogin<Suite>,
}

impl Setup {
    /// A new one.
    pub fn generate() -> Self {
        Self(ServerSetup::new(&mut OsRng))
    }

    /// As it is stored.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.serialize().to_vec())
    }

    /// From what was stored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PasswordError> {
        ServerSetup::deserialize(bytes)
            .map(Self)
            .map_err(|_| PasswordError::Malformed)
    }

    /// `response` of `register-start`.
    pub fn register(&self, name: &str, request: &[u8]) -> Result<Vec<u8>, PasswordError> {
        let request = RegistrationRequest::deserialize(request).map_err(|_| PasswordError::Malformed)?;
        ServerRegistration::<Suite>::start(&self.0, request, name.as_bytes())
            .map(|start| start.message.serialize().to_vec())
            .map_err(|_| PasswordError::Malformed)
    }

    /// `response` of `login-start`. Without a record the answer is made up, in the same time, and no
    /// finalization fits it.
    pub fn challenge(
        &self,
        name: &str,
        nonce: Nonce,
        record: Option<&[u8]>,
        request: &[u8],
    ) -> Result<(Challenge, Vec<u8>), PasswordError> {
        let request = CredentialRequest::deserialize(request).map_err(|_| PasswordError::Malformed)?;
        let record = record
            .map(ServerRegistration::<Suite>::deserialize)
            .transpose()
            .map_err(|_| PasswordError::Malformed)?;
        let context = context(&nonce);
        let params = ServerLoginParameters {
            context: Some(&context),
            identifiers: identifiers(name),
        };
        let start = ServerLogin::start(&mut OsRng, &self.0, record, request, name.as_bytes(), params)
            .map_err(|_| PasswordError::Malformed)?;
        let challenge = Challenge {
            name: name.to_owned(),
            nonce,
            state: start.state,
        };
        Ok((challenge, start.message.serialize().to_vec()))
    }
}

/// The password record of an account from `upload` of `register-finish`.
pub fn record(upload: &[u8]) -> Result<Vec<u8>, PasswordError> {
    let upload = RegistrationUpload::<Suite>::deserialize(upload).map_err(|_| PasswordError::Malformed)?;
    Ok(ServerRegistration::finish(upload).serialize().to_vec())
}

impl Challenge {
    /// The name that `login-start` gave.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the password was right.
    pub fn finish(self, finalization: &[u8]) -> Result<(), PasswordError> {
        let finalization =
            CredentialFinalization::deserialize(finalization).map_err(|_| PasswordError::Malformed)?;
        let context = context(&self.nonce);
        let params = ServerLoginParameters {
            context: Some(&context),
            identifiers: identifiers(&self.name),
        };
        self.state
            .finish(finalization, params)
            .map(drop)
            .map_err(|_| PasswordError::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: Nonce = Nonce([9; 32]);

    fn registered(setup: &Setup, name: &str, password: &str) -> Vec<u8> {
        let (client, request) = Registering::start(name, password).unwrap();
        let response = setup.register(name, &request).unwrap();
        record(&client.finish(&response).unwrap()).unwrap()
    }

    fn login(
        setup: &Setup,
        record: Option<&[u8]>,
        (name, password): (&str, &str),
        nonces: (Nonce, Nonce),
    ) -> Result<(), PasswordError> {
        let (client, request) = LoggingIn::start(name, password, nonces.0).unwrap();
        let (challenge, response) = setup.challenge(name, nonces.1, record, &request).unwrap();
        challenge.finish(&client.finish(&response)?.0)
    }

    #[test]
    fn the_right_password_and_nothing_else() {
        let setup = Setup::generate();
        let record = registered(&setup, "alice", "pw");
        let setup = Setup::from_bytes(&setup.to_bytes()).unwrap();
        let wrong = Err(PasswordError::Wrong);
        assert_eq!(
            login(&setup, Some(&record), ("alice", "pw"), (NONCE, NONCE)),
            Ok(())
        );
        assert_eq!(
            login(&setup, Some(&record), ("alice", "pW"), (NONCE, NONCE)),
            wrong
        );
        assert_eq!(login(&setup, Some(&record), ("bob", "pw"), (NONCE, NONCE)), wrong);
        assert_eq!(login(&setup, None, ("alice", "pw"), (NONCE, NONCE)), wrong);
        assert_eq!(
            login(&setup, Some(&record), ("alice", "pw"), (NONCE, Nonce([8; 32]))),
            wrong
        );
    }

    #[test]
    fn lengths() {
        assert!(Registering::start("a", &"x".repeat(PASSWORD_BYTES_MAX)).is_ok());
        for bad in ["", &"x".repeat(PASSWORD_BYTES_MAX + 1)] {
            assert_eq!(Registering::start("a", bad).err(), Some(PasswordError::Length));
            assert_eq!(
                LoggingIn::start("a", bad, NONCE).err(),
                Some(PasswordError::Length)
            );
        }
    }

    #[test]
    fn garbage_is_refused() {
        let setup = Setup::generate();
        for length in [0, 1, 31, 32, 64, 96, 192, 1024] {
            let bytes = vec![0xff; length];
            assert!(setup.register("a", &bytes).is_err());
            assert!(setup.challenge("a", NONCE, None, &bytes).is_err());
            assert!(record(&bytes).is_err());
            assert!(Setup::from_bytes(&bytes).is_err());
        }
    }

    #[test]
    fn an_unknown_account_answers_alike() {
        let setup = Setup::generate();
        let record = registered(&setup, "alice", "pw");
        let (_, request) = LoggingIn::start("alice", "pw", NONCE).unwrap();
        let known = setup
            .challenge("alice", NONCE, Some(&record), &request)
            .unwrap()
            .1;
        let unknown = setup.challenge("alicf", NONCE, None, &request).unwrap().1;
        assert_eq!(known.len(), unknown.len());
    }
}
