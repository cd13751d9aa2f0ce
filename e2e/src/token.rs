//! Tokens that the API server would not issue: the claims of a real one changed, signed by the cluster's own key.
//!
//! Only a private cluster's key is at hand. In: a token and the key. Out: a token whose signature is right, so that what
//! refuses it is the changed claim. Source: RFC 7515 (JWS) and RFC 7518 section 3.4 (ES256).

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{KeyPair, SigningKey};
use serde_json::Value;

/// Bytes of each half of an ES256 signature.
const HALF: usize = 32;

/// The token with other claims, signed by the key in `pem`.
///
/// # Errors
/// It is no token, or the key is no P-256 key.
pub fn with_claims(token: &str, pem: &str, change: impl FnOnce(&mut Value)) -> Result<String> {
    let (header, rest) = token.split_once('.').context("no token")?;
    let (claims, _) = rest.split_once('.').context("no token")?;
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
    change(&mut claims);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let der = KeyPair::from_pem(pem)?.sign(signed.as_bytes())?;
    Ok(format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode(halves(&der)?)
    ))
}

/// The two numbers of a DER signature, side by side.
fn halves(der: &[u8]) -> Result<[u8; 2 * HALF]> {
    let [0x30, _, rest @ ..] = der else {
        bail!("no signature");
    };
    let (r, rest) = number(rest)?;
    let (s, rest) = number(rest)?;
    ensure!(rest.is_empty(), "more than a signature");
    let mut both = [0; 2 * HALF];
    both[HALF - r.len()..HALF].copy_from_slice(r);
    both[2 * HALF - s.len()..].copy_from_slice(s);
    Ok(both)
}

/// The first DER integer, without leading zeros, and what follows it.
fn number(der: &[u8]) -> Result<(&[u8], &[u8])> {
    let [0x02, length, rest @ ..] = der else {
        bail!("no number");
    };
    let (number, rest) = rest
        .split_at_checked(usize::from(*length))
        .context("half a number")?;
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    ensure!(number.len() - zeros <= HALF, "not P-256");
    Ok((&number[zeros..], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_signature_are_padded_and_lose_their_sign_byte() -> Result<()> {
        let mut der = vec![0x30, 0, 0x02, 1, 7, 0x02, 33, 0];
        der.extend([0x80; 32]);
        let both = halves(&der)?;
        assert_eq!((both[30], both[31]), (0, 7));
        assert_eq!(both[32..], [0x80; 32]);
        halves(&der[..20]).unwrap_err();
        Ok(())
    }
}
