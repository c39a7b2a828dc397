import { describe, expect, it } from "vitest";
import { authorizationOf, sha256 } from "./runtime/sigv4.ts";
import type { AccessKey } from "./runtime/sigv4.ts";

const EMPTY = sha256("");
const signatureOf = (authorization: string): string => authorization.split("Signature=")[1] ?? "";

/** Published with the suite of Signature Version 4: nothing but the host and the date is signed. */
describe("the general vectors of AWS", () => {
  const key: AccessKey = {
    id: "AKIDEXAMPLE",
    secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    region: "us-east-1",
    service: "service",
  };
  const at = new Date("2015-08-30T12:36:00Z");
  const headers = { Host: "example.amazonaws.com", "X-Amz-Date": "20150830T123600Z" };

  it.each([
    ["get-vanilla", "GET", "/", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
    ["post-vanilla", "POST", "/", {}, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"],
    [
      "get-vanilla-query-order-key-case",
      "GET",
      "/?Param2=value2&Param1=value1",
      {},
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ],
    [
      "get-header-value-trim",
      "GET",
      "/",
      { "My-Header1": " value1", "My-Header2": ' "a   b   c"' },
      "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ],
    ["get-utf8", "GET", "/ሴ", {}, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"],
    [
      "get-unreserved",
      "GET",
      "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
      {},
      "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ],
  ])("%s", (_name, method, path, more, signature) => {
    const url = new URL(path, "https://example.amazonaws.com");
    const authorization = authorizationOf(
      { method, url, headers: { ...headers, ...more }, payload: EMPTY },
      key,
      at,
    );
    expect(signatureOf(authorization)).toBe(signature);
    expect(authorization).toContain(
      "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;",
    );
  });
});

/** From the manual of S3, whose paths are escaped once and whose bodies are signed. */
describe("the vectors of S3", () => {
  const key: AccessKey = {
    id: "AKIAIOSFODNN7EXAMPLE",
    secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    region: "us-east-1",
    service: "s3",
  };
  const at = new Date("2013-05-24T00:00:00Z");
  const sign = (method: string, path: string, more: Readonly<Record<string, string>>, body = ""): string => {
    const payload = sha256(body);
    const own = { "x-amz-content-sha256": payload, "x-amz-date": "20130524T000000Z" };
    const headers = { host: "examplebucket.s3.amazonaws.com", ...own, ...more };
    const url = new URL(path, "https://examplebucket.s3.amazonaws.com");
    return signatureOf(authorizationOf({ method, url, headers, payload }, key, at));
  };

  it("a ranged GET of an object", () => {
    expect(sign("GET", "/test.txt", { range: "bytes=0-9" })).toBe(
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
  });

  it("a PUT of an object whose key is escaped", () => {
    const more = { date: "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY" };
    for (const path of ["/test$file.text", "/test%24file.text"])
      expect(sign("PUT", path, more, "Welcome to Amazon S3.")).toBe(
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
      );
  });

  it("a question without a value, and a listing", () => {
    expect(sign("GET", "/?lifecycle", {})).toBe(
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
    expect(sign("GET", "/?max-keys=2&prefix=J", {})).toBe(
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
  });

  it("one changed byte of anything signed is another signature", () => {
    const base = sign("GET", "/a/b", { range: "bytes=0-9" });
    const others = [
      sign("HEAD", "/a/b", { range: "bytes=0-9" }),
      sign("GET", "/a/B", { range: "bytes=0-9" }),
      sign("GET", "/a/b?x=", { range: "bytes=0-9" }),
      sign("GET", "/a/b", { range: "bytes=0-8" }),
      sign("GET", "/a/b", { range: "bytes=0-9" }, "x"),
    ];
    expect(new Set([base, ...others]).size).toBe(6);
  });

  it("what encodeURIComponent leaves alone is escaped, in the path and in the query", () => {
    expect(sign("GET", "/it's(1)*!.txt?prefix=a'b", {})).toBe(
      sign("GET", "/it%27s%281%29%2A%21.txt?prefix=a%27b", {}),
    );
  });
});
