//! Keys with names, and what is signed with them.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use sha2::{Digest, Sha256};

use crate::env::Env;
use crate::limits;
use crate::name::NameError;

/// What the text form of a signing key begins with: a scanner that looks for leaked secrets knows
/// it by that.
const PRIVATE: &str = "PRIVATE+KEY+";

/// The type of a key: Ed25519, as `signed-note` numbers them.
const ED25519: u8 = 1;

/// Names whoever signs, e.g. `books.example.org`. Two keys may have the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName(String);

impl KeyName {
    /// Checks the rules: 1 to 255 bytes, no `+`, no white space, no control character.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fail = |rule: &str| Err(NameError::new("key name", text, rule));
        if text.is_empty() || text.len() > limits::KEY_NAME_BYTES {
            return fail("a key name has 1 to 255 bytes");
        }
        if text.chars().any(|c| c == '+' || c.is_whitespace() || c.is_control()) {
            return fail("a key name has no `+`, no white space and no control character");
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first four bytes of SHA-256 over name, line feed, type and public key. It tells keys of one
/// name apart, and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct KeyId([u8; 4]);

impl KeyId {
    fn of(name: &KeyName, key: &ed25519_dalek::VerifyingKey) -> Self {
        let mut hash = Sha256::new();
        hash.update(name.as_str());
        hash.update([b'\n', ED25519]);
        hash.update(key.as_bytes());
        let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
        Self([a, b, c, d])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The secret half of a key: signs.
///
/// As text `PRIVATE+KEY+<name>+<id>+<base64 of the type and the 32 bytes of the seed>`. It is
/// wiped from memory when it is dropped.
#[derive(Clone)]
pub struct SigningKey {
    name: KeyName,
    key: ed25519_dalek::SigningKey,
}

impl SigningKey {
    const WHAT: &'static str = "signing key";

    /// A new key.
    pub fn generate(name: KeyName, env: &Env) -> Self {
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(&env.entropy.bytes());
        seed[16..].copy_from_slice(&env.entropy.bytes());
        Self::from_seed(name, seed)
    }

    /// The key with this seed (RFC 8032, section 5.1.5), which nobody else may know.
    pub fn from_seed(name: KeyName, seed: [u8; 32]) -> Self {
        Self { name, key: ed25519_dalek::SigningKey::from_bytes(&seed) }
    }

    /// Whether a text means to be a signing key.
    pub fn looks_like_one(text: &str) -> bool {
        text.trim_start().starts_with(PRIVATE)
    }

    /// Reads the text form, with white space around it. No error repeats the text.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fail = |rule: &str| NameError::new(Self::WHAT, "…", rule);
        let Some(rest) = text.trim().strip_prefix(PRIVATE) else {
            return Err(fail("a signing key begins with `PRIVATE+KEY+`"));
        };
        let (name, id, seed) = parts(rest).map_err(fail)?;
        let key = Self::from_seed(name, seed);
        if key.verifier().id.to_string() != id {
            return Err(fail("it is mistyped or cut: its id does not fit the rest"));
        }
        Ok(key)
    }

    /// The text form, for a file that nobody else may read.
    pub fn reveal(&self) -> String {
        let Self { name, key } = self;
        format!("{PRIVATE}{name}+{}+{}", self.verifier().id, keyed(key.as_bytes()))
    }

    /// The public half.
    pub fn verifier(&self) -> VerifierKey {
        let key = self.key.verifying_key();
        VerifierKey { id: KeyId::of(&self.name, &key), name: self.name.clone(), key }
    }

    /// Signs a message. Whoever signs two kinds of things lets them begin differently.
    pub fn sign(&self, message: &[u8]) -> KeySignature {
        KeySignature {
            name: self.name.clone(),
            id: self.verifier().id,
            signature: self.key.sign(message).to_vec(),
        }
    }
}

/// Never the secret.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifier())
    }
}

/// The public half of a key: tells whether it signed something.
///
/// As text `<name>+<id>+<base64 of the type and the 32 bytes of the key>`, which `signed-note`
/// calls a vkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: KeyId,
    key: ed25519_dalek::VerifyingKey,
}

impl VerifierKey {
    const WHAT: &'static str = "verifier key";

    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fail = |rule: &str| NameError::new(Self::WHAT, text, rule);
        if SigningKey::looks_like_one(text) {
            let rule =
                "this is a signing key, which is nobody's business: a verifier key is public";
            return Err(NameError::new(Self::WHAT, "…", rule));
        }
        let (name, id, bytes) = parts(text).map_err(fail)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes)
            .map_err(|_| fail("its bytes are no Ed25519 key"))?;
        let key = Self { id: KeyId::of(&name, &key), name, key };
        if key.id.to_string() != id {
            return Err(fail("it is mistyped or cut: its id does not fit the rest"));
        }
        Ok(key)
    }

    /// Whose key it is.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// Whether a signature says that it is by this key.
    pub fn is_named_by(&self, signature: &KeySignature) -> bool {
        (&self.name, self.id) == (&signature.name, signature.id)
    }

    /// Whether a signature is this key's, and over this very message. Keys and signatures with
    /// which several messages could be meant are refused (`verify_strict`).
    pub fn verifies(&self, message: &[u8], signature: &KeySignature) -> bool {
        let Ok(bytes) = ed25519_dalek::Signature::from_slice(&signature.signature) else {
            return false;
        };
        self.is_named_by(signature) && self.key.verify_strict(message, &bytes).is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, self.id, keyed(self.key.as_bytes()))
    }
}

impl FromStr for VerifierKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

/// A signature with the name of its key.
///
/// As text `<name> <base64 of the key's id and the signature>`. It may be by a key of another type
/// than Ed25519; then nobody here can tell whether it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySignature {
    name: KeyName,
    id: KeyId,
    signature: Vec<u8>,
}

impl KeySignature {
    const WHAT: &'static str = "signature";

    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fail = |rule: &str| NameError::new(Self::WHAT, text, rule);
        let Some((name, signature)) = text.split_once(' ') else {
            return Err(fail("a signature is a key's name, a space, and base64"));
        };
        let name = KeyName::parse(name)?;
        let bytes =
            STANDARD.decode(signature).map_err(|_| fail("what is behind it is no base64"))?;
        match bytes.split_first_chunk() {
            Some((id, rest)) if !rest.is_empty() => {
                Ok(Self { name, id: KeyId(*id), signature: rest.to_owned() })
            }
            _ => Err(fail("it is cut")),
        }
    }

    /// Whose it says it is: the key's name and id.
    pub fn signer(&self) -> String {
        format!("{}+{}", self.name, self.id)
    }
}

impl fmt::Display for KeySignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.0[..], &self.signature].concat();
        write!(f, "{} {}", self.name, STANDARD.encode(bytes))
    }
}

/// The bytes of a key behind its type, in base64.
fn keyed(key: &[u8; 32]) -> String {
    let mut bytes = [ED25519; 33];
    bytes[1..].copy_from_slice(key);
    STANDARD.encode(bytes)
}

/// Name, id and bytes of a key's text form; else the rule that it breaks.
fn parts(text: &str) -> Result<(KeyName, &str, [u8; 32]), &'static str> {
    let mut parts = text.splitn(3, '+');
    let mut part = || parts.next().ok_or("a key is written NAME+ID+BASE64");
    let (name, id, bytes) = (part()?, part()?, part()?);
    let name = KeyName::parse(name).map_err(|_| "its name is none")?;
    let bytes = STANDARD.decode(bytes).map_err(|_| "what is behind its id is no base64")?;
    let Some((kind, key)) = bytes.split_first() else {
        return Err("it is cut");
    };
    if *kind != ED25519 {
        return Err("it is a key of another type than Ed25519");
    }
    Ok((name, id, key.try_into().map_err(|_| "an Ed25519 key has 32 bytes")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        let seed = std::array::from_fn(|n| u8::try_from(n).unwrap());
        SigningKey::from_seed(KeyName::parse("books.example.org").unwrap(), seed)
    }

    #[test]
    fn reads_back_what_it_shows() {
        let verifier = key().verifier();
        assert_eq!(
            SigningKey::parse(&format!(" {}\n", key().reveal())).unwrap().verifier(),
            verifier
        );
        assert_eq!(VerifierKey::parse(&verifier.to_string()).unwrap(), verifier);
        let signature = key().sign(b"message");
        assert_eq!(KeySignature::parse(&signature.to_string()).unwrap(), signature);
        let made = [(); 2].map(|()| SigningKey::generate(key().name, &Env::system()).reveal());
        assert_ne!(made[0], made[1]);
    }

    /// The keys of the documentation of `golang.org/x/mod/sumdb/note`, which `signed-note` was
    /// first written for.
    #[test]
    fn reads_keys_and_signatures_of_other_programs() {
        let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let skey = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
        let text = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
        let signature = "PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        let (key, signature) =
            (VerifierKey::parse(vkey).unwrap(), KeySignature::parse(signature).unwrap());
        assert_eq!(SigningKey::parse(skey).unwrap().verifier(), key);
        assert!(key.verifies(text.as_bytes(), &signature));
        assert_eq!(SigningKey::parse(skey).unwrap().sign(text.as_bytes()), signature);
    }

    #[test]
    fn only_the_key_that_signed_verifies_and_only_the_very_message() {
        let signature = key().sign(b"message");
        assert!(key().verifier().verifies(b"message", &signature));
        assert!(!key().verifier().verifies(b"messagE", &signature));
        let other = SigningKey::from_seed(key().name, [7; 32]);
        assert!(!other.verifier().verifies(b"message", &signature));
        // The same key by another name is another key.
        let renamed = SigningKey { name: KeyName::parse("other").unwrap(), ..key() };
        assert!(!renamed.verifier().verifies(b"message", &signature));
        for at in 0..signature.signature.len() {
            let mut bad = signature.clone();
            bad.signature[at] ^= 1;
            assert!(!key().verifier().verifies(b"message", &bad), "byte {at}");
        }
    }

    #[test]
    fn refuses_what_is_mistyped_cut_or_of_another_kind() {
        let text = key().verifier().to_string();
        for bad in [
            "",
            "name",
            "name+00000000+AQ==",
            &text.replace("books", "cooks"),
            &text[..text.len() - 4],
            &text.replace('+', " "),
            &key().reveal(),
        ] {
            assert!(VerifierKey::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", "name", "na+me AAAAAAA=", "name !", "name AAAA"] {
            assert!(KeySignature::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", "a b", "a+b", "a\n", &"x".repeat(256)] {
            assert!(KeyName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_but_reveal_shows_the_secret() {
        let secret = key().reveal();
        let secret = &secret[secret.len() - 40..];
        let said = VerifierKey::parse(&key().reveal()).unwrap_err().to_string();
        let cut = SigningKey::parse(&key().reveal().replace("books", "cooks")).unwrap_err();
        let shown = format!("{:?} {} {said} {cut}", key(), key().verifier());
        assert!(!shown.contains(secret), "{shown}");
    }
}
