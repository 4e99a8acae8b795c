//! The ciphers of SRTP: AES-GCM (RFC 7714) by `ring`, AES in counter mode (RFC 3711) by RustCrypto.

use aes::{
    Aes128, Aes256,
    cipher::{BlockCipherEncrypt, KeyInit, KeyIvInit, StreamCipher},
};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, Tag, UnboundKey};
use str0m::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, Aes128CmSha1_80Cipher, CryptoError, SrtpProvider,
    SupportedAeadAes128Gcm, SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
};

/// Makes ciphers.
#[derive(Debug)]
pub(super) struct Srtp;

impl SrtpProvider for Srtp {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        &Srtp
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Srtp
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Srtp
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        round::<Aes128>(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        round::<Aes256>(key, input, output);
    }
}

/// One block of a key derivation (RFC 3711 §4.3.3). What is not of a cipher's sizes is left alone.
fn round<C: KeyInit + BlockCipherEncrypt>(key: &[u8], input: &[u8], output: &mut [u8]) {
    let (Ok(cipher), Some(out)) = (C::new_from_slice(key), output.get_mut(..input.len())) else { return };
    out.copy_from_slice(input);
    if let Ok(block) = out.try_into() {
        cipher.encrypt_block(block);
    }
}

impl SupportedAes128CmSha1_80 for Srtp {
    fn create_cipher(&self, key: [u8; 16], _encrypt: bool) -> Box<dyn Aes128CmSha1_80Cipher> {
        Box::new(Counter(key))
    }
}

impl SupportedAeadAes128Gcm for Srtp {
    fn create_cipher(&self, key: [u8; 16], _encrypt: bool) -> Box<dyn AeadAes128GcmCipher> {
        Box::new(Gcm::new(&AES_128_GCM, &key))
    }
}

impl SupportedAeadAes256Gcm for Srtp {
    fn create_cipher(&self, key: [u8; 32], _encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        Box::new(Gcm::new(&AES_256_GCM, &key))
    }
}

/// AES-128 in counter mode.
struct Counter([u8; 16]);

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counter")
    }
}

impl Aes128CmSha1_80Cipher for Counter {
    fn encrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        let out = output.get_mut(..input.len()).ok_or_else(|| failed("no room"))?;
        out.copy_from_slice(input);
        ctr::Ctr128BE::<Aes128>::new(&self.0.into(), iv.into()).apply_keystream(out);
        Ok(())
    }

    fn decrypt(&mut self, iv: &[u8; 16], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        self.encrypt(iv, input, output)
    }
}

/// AES in Galois/counter mode.
#[derive(Debug)]
struct Gcm(LessSafeKey);

impl Gcm {
    fn new(algorithm: &'static Algorithm, key: &[u8]) -> Gcm {
        Gcm(LessSafeKey::new(UnboundKey::new(algorithm, key).expect("the key has the cipher's length")))
    }

    /// The ciphertext and behind it the tag.
    fn seal(&self, iv: &[u8; 12], aad: &[u8], input: &[u8], output: &mut [u8]) -> Result<(), CryptoError> {
        let out = output.get_mut(..input.len() + TAG).ok_or_else(|| failed("no room"))?;
        let (text, tag) = out.split_at_mut(input.len());
        text.copy_from_slice(input);
        let nonce = Nonce::assume_unique_for_key(*iv);
        let sealed = self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), text);
        tag.copy_from_slice(sealed.map_err(|_| failed("it cannot be sealed"))?.as_ref());
        Ok(())
    }

    fn open(
        &self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        let length = input.len().checked_sub(TAG).ok_or_else(|| failed("too short"))?;
        let (text, tag) = input.split_at(length);
        let out = output.get_mut(..length).ok_or_else(|| failed("no room"))?;
        out.copy_from_slice(text);
        let tag: Tag = <[u8; TAG]>::try_from(tag).map_err(|_| failed("too short"))?.into();
        let joined;
        let aad = match aads {
            [only] => only,
            several => {
                joined = several.concat();
                joined.as_slice()
            }
        };
        let nonce = Nonce::assume_unique_for_key(*iv);
        let opened = self.0.open_in_place_separate_tag(nonce, Aad::from(aad), tag, out, 0..);
        opened.map(|_| length).map_err(|_| failed("it is not theirs"))
    }
}

impl AeadAes128GcmCipher for Gcm {
    fn encrypt(
        &mut self,
        iv: &[u8; 12],
        aad: &[u8],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.seal(iv, aad, input, output)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        self.open(iv, aads, input, output)
    }
}

impl AeadAes256GcmCipher for Gcm {
    fn encrypt(
        &mut self,
        iv: &[u8; 12],
        aad: &[u8],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.seal(iv, aad, input, output)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        self.open(iv, aads, input, output)
    }
}

fn failed(why: &str) -> CryptoError {
    CryptoError::Other(why.to_owned())
}

/// Bytes of a tag (RFC 7714 §5.2).
const TAG: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn keys_are_derived_as_rfc_3711_shows() {
        // RFC 3711 B.3: the cipher key of label 0
        let (key, input) =
            (bytes("E1F97A0D3E018BE0D64FA32C06DE4139"), bytes("0EC675AD498AFEEBB6960B3AABE60000"));
        let mut output = [0; 32];
        Srtp.srtp_aes_128_ecb_round(&key, &input, &mut output);
        assert_eq!(output[..16], bytes("C61E7A93744F39EE10734AFE3FF7A087"));
        Srtp.srtp_aes_128_ecb_round(&key[1..], &input, &mut output);
    }

    #[test]
    fn packets_are_sealed_as_rfc_7714_shows() {
        // RFC 7714 §16.1.1
        let key: [u8; 16] = bytes("000102030405060708090a0b0c0d0e0f").try_into().unwrap();
        let iv: [u8; 12] = bytes("51753c6580c2726f20718414").try_into().unwrap();
        let aad = bytes("8040f17b8041f8d35501a0b2");
        let text = bytes(
            "47616c6c696120657374206f6d6e697320646976697361206 96e207061727465732074726573"
                .replace(' ', "")
                .as_str(),
        );
        let sealed = bytes(
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
            899d7f27beb16a9152cf765ee4390cce",
        );
        let mut cipher = SupportedAeadAes128Gcm::create_cipher(&Srtp, key, true);
        let mut output = vec![0; sealed.len()];
        cipher.encrypt(&iv, &aad, &text, &mut output).unwrap();
        assert_eq!(output, sealed);
        let mut opened = vec![0; text.len()];
        assert_eq!(cipher.decrypt(&iv, &[&aad], &sealed, &mut opened).unwrap(), text.len());
        assert_eq!(opened, text);
        output[3] ^= 1;
        assert!(cipher.decrypt(&iv, &[&aad], &output, &mut opened).is_err());
        assert!(cipher.decrypt(&iv, &[&aad], &output[..7], &mut opened).is_err());
    }

    #[test]
    fn counter_mode_runs_as_rfc_3711_shows() {
        // RFC 3711 B.2
        let key: [u8; 16] = bytes("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap();
        let iv: [u8; 16] = bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap();
        let mut cipher = SupportedAes128CmSha1_80::create_cipher(&Srtp, key, true);
        let mut output = [0; 32];
        cipher.encrypt(&iv, &[0; 32], &mut output).unwrap();
        assert_eq!(output[..], bytes("E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB"));
    }
}
