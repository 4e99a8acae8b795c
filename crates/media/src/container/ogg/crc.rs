//! The checksum of an Ogg page: CRC-32 with polynomial 04C11DB7, not reflected, from zero (RFC 3533 §6).

/// Continues `crc` over `bytes`, eight at a time.
pub(super) fn update(mut crc: u32, bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    for &[a, b, c, d, e, f, g, h] in eights {
        let [a, b, c, d] = (crc ^ u32::from_be_bytes([a, b, c, d])).to_be_bytes();
        crc = [a, b, c, d, e, f, g, h]
            .into_iter()
            .zip(TABLES.iter().rev())
            .fold(0, |crc, (byte, table)| crc ^ table[usize::from(byte)]);
    }
    for &byte in rest {
        crc = crc << 8 ^ TABLES[0][usize::from((crc >> 24) as u8 ^ byte)];
    }
    crc
}

/// `TABLES[n][b]` is the checksum of byte `b` with `n` zero bytes after it.
const TABLES: [[u32; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = of_byte(byte as u32);
        let mut zeros = 0;
        while zeros < 8 {
            tables[zeros][byte] = crc;
            crc = crc << 8 ^ of_byte(crc >> 24);
            zeros += 1;
        }
        byte += 1;
    }
    tables
};

/// The checksum of one byte, by definition.
const fn of_byte(byte: u32) -> u32 {
    let mut crc = byte << 24;
    let mut bit = 0;
    while bit < 8 {
        crc = crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
        bit += 1;
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_at_a_time_equals_one_at_a_time() {
        let bytes: Vec<u8> = (0..1000u32).map(|i| ((i * i) >> 3) as u8).collect();
        for length in [0, 1, 7, 8, 9, 27, 255, 1000] {
            let single = bytes[..length].iter().fold(0, |crc, byte| update(crc, &[*byte]));
            assert_eq!(update(0, &bytes[..length]), single);
        }
        // "123456789" in this variant (poly 04C11DB7, init 0, no reflection, no final xor)
        assert_eq!(update(0, b"123456789"), 0x89a1_897f);
    }
}
