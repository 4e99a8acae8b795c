use super::*;
use std::time::Duration;

/// Certificate and key of `localhost`, made now, in one PEM text each.
pub fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.key_pair.serialize_pem())
}

fn files(certificate: &str, key: &str) -> (tempfile::TempDir, Files) {
    let folder = tempfile::tempdir().unwrap();
    let paths = [("certificate", certificate), ("key", key)].map(|(name, text)| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    });
    let [certificate, key] = paths;
    (folder, Files { certificate, key })
}

#[test]
fn a_pair_is_read_from_two_files_or_one() {
    let (certificate, key) = pair();
    let (_folder, two) = files(&certificate, &key);
    assert_eq!(two.read().unwrap().alpn_protocols, [b"http/1.1"]);
    let both = certificate + &key;
    let (_folder, one) = files(&both, "");
    assert!(Files { key: one.certificate.clone(), ..one }.read().is_ok());
}

#[test]
fn what_is_no_pair_is_refused_with_the_reason() {
    let ((certificate, key), (_, other)) = (pair(), pair());
    for (certificate, key, why) in [
        (certificate.as_str(), other.as_str(), "do not go together"),
        (certificate.as_str(), "", "no certificate or key in PEM"),
        ("", key.as_str(), "no certificate or key in PEM"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", key.as_str(), "certificate"),
    ] {
        let (_folder, files) = files(certificate, key);
        let told = files.read().unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
    }
    let (folder, files) = files(&certificate, &key);
    drop(folder);
    assert!(files.read().unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn a_changed_file_has_another_stamp() {
    let (certificate, key) = pair();
    let (_folder, files) = files(&certificate, &key);
    let before = files.stamp();
    assert_eq!(files.stamp(), before);
    let later = SystemTime::now() + Duration::from_secs(5);
    fs::File::options().append(true).open(&files.key).unwrap().set_modified(later).unwrap();
    assert_ne!(files.stamp(), before);
}
