import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Certificates in a folder of their own: `<name>.pem` with `<name>.key`. */
export interface Certificates {
  at(file: string): string;
  /** An authority that signs whatever it is asked to. */
  authority(name: string): void;
  /** A certificate for an address, such as `IP:127.0.0.1`. */
  signed(name: string, by: string, address: string): void;
  remove(): void;
}

export function openCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), "topogate-certificates-"));
  const at = (file: string): string => join(folder, file);
  const openssl = (...args: readonly string[]): void => {
    const { status, stderr } = spawnSync("openssl", args, { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
  };
  const request = (name: string): readonly string[] => {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${name}.key`];
    return ["req", ...key, "-subj", `/CN=${name}`];
  };
  return {
    at,
    authority: (name) => openssl(...request(name), "-x509", "-days", "2", "-out", `${name}.pem`),
    signed: (name, by, address) => {
      openssl(...request(name), "-out", `${name}.csr`);
      writeFileSync(at(`${name}.ext`), `subjectAltName=${address}\n`);
      const authority = ["-CA", `${by}.pem`, "-CAkey", `${by}.key`, "-CAcreateserial"];
      const about = ["-days", "2", "-extfile", `${name}.ext`, "-out", `${name}.pem`];
      openssl("x509", "-req", "-in", `${name}.csr`, ...authority, ...about);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
