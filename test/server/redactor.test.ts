import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRedactor } from "#runtime/redactor";

function redactorFor(...secrets: readonly string[]): ReturnType<typeof createRedactor> {
  const redactor = createRedactor();
  secrets.forEach((secret) => redactor.learn(secret));
  return redactor;
}

describe("redactor", () => {
  it("finds a secret in every encoding, wherever it stands in the encoded text", () => {
    const secret = fc
      .string({ minLength: 12, maxLength: 40, unit: "binary-ascii" })
      .filter((text) => /^[\x20-\x7e]+$/.test(text));
    const around = fc.string({ maxLength: 20 });
    fc.assert(
      fc.property(secret, around, around, (value, before, after) => {
        const { text } = redactorFor(value);
        const whole = `${before}${value}${after}`;
        expect(text(whole).value).not.toContain(value);
        for (const encoding of ["base64", "base64url", "hex"] as const) {
          const encoded = Buffer.from(whole).toString(encoding);
          const middle = Buffer.from(value).toString(encoding).slice(4, -4);
          expect(text(encoded).count, encoding).toBeGreaterThan(0);
          if (before === "") expect(text(encoded).value).not.toContain(middle);
        }
        expect(text(encodeURIComponent(value)).value).not.toContain(encodeURIComponent(value));
        expect(text(JSON.stringify({ v: value })).value).not.toContain(JSON.stringify(value).slice(1, -1));
      }),
    );
  });

  it("leaves ordinary data alone", () => {
    const { value } = redactorFor("correct horse battery");
    const data = {
      text: "the secretary tokenized 12 passwords; see https://example.com/a:b?c=d and mail a@b.example",
      tokenizer: "standard",
      max_tokens: 5,
      rows: [1, true, null, "2026-01-01T00:00:00Z"],
      expr: 'sum(rate(http_requests_total{job="api"}[5m]))',
      nested: { secretName: "db", passwords: 3 },
    };
    expect(value(data)).toEqual({ value: data, count: 0 });
  });

  it("says of a value the same at one look and string by string", () => {
    const pieces = [
      "kafka",
      "s3cret-value",
      'a "quoted" s3cret',
      "pass_word",
      "api key",
      "to\u212aen",
      "eyJ",
      "\u200b",
      "\n",
    ];
    const string = fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 12 }), fc.constant("topic-1"));
    const { value: json } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        string,
        fc.constantFrom(0, 1.5, Number.NaN, true, null, 10n, new Date(0)),
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(string, tie("value"), { maxKeys: 4 }),
      ),
    }));
    const { value } = redactorFor("s3cret-value", 'a "quoted" s3cret');
    let atOneLook = 0;
    fc.assert(
      fc.property(json, (any) => {
        const whole = value(any);
        // The accent makes it look closer, and is nothing to hide.
        const [closely] = value([any, "\u00e9"]).value as readonly unknown[];
        expect(whole.value).toEqual(closely);
        if (whole.json === undefined) return;
        atOneLook += 1;
        expect(whole.json).toBe(JSON.stringify(closely));
      }),
      { numRuns: 2_000 },
    );
    expect(atOneLook).toBeGreaterThan(100);
  });

  it("looks closer at what is no JSON, or nests too deeply", () => {
    const { value } = redactorFor();
    const deep = Array.from({ length: 70 }).reduce<unknown>((inner) => [inner], "end");
    expect(JSON.stringify(value(deep).value)).not.toContain("end");
    const circle: unknown[] = [];
    circle.push(circle);
    expect(value(circle).json).toBeUndefined();
  });

  it.each([
    ["https://user:pa55@example.com/x", "https://[redacted]@example.com/x"],
    ["redis://:pa55word@cache:6379", "redis://[redacted]@cache:6379"],
    ["Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"],
    ['{\\"password\\": \\"hunter2\\"}', '{\\"password\\": [redacted]}'],
    ["api_key='k 1' x", "api_key=[redacted] x"],
    ["PGPASSWORD={password} psql -h {host}", "PGPASSWORD={password} psql -h {host}"],
    ["password={not a variable}", "password=[redacted] a variable}"],
    ["-----BEGIN PRIVATE KEY-----\nProc-Type: 4\nabc\n-----END PRIVATE KEY----- tail", "[redacted] tail"],
    ["-----BEGIN EC PRIVATE KEY-----\nabc", "[redacted]"],
  ])("makes of %s: %s", (text, expected) => expect(redactorFor().text(text).value).toBe(expected));

  it("leaves what a schema says about a secret, and hides what else stands beside it", () => {
    const described = {
      securitySchemes: { apiKey: { type: "apiKey", in: "header", name: "X-API-Key" } },
      properties: { password: { type: "string", minLength: 12 }, token: { $ref: "#/components/Token" } },
    };
    expect(redactorFor().value(described)).toEqual({ value: described, count: 0 });
    for (const held of [{ type: "string", default: "hunter22" }, { value: "hunter22" }, ["hunter22"]]) {
      expect(JSON.stringify(redactorFor().value({ password: held }).value)).not.toContain("hunter22");
    }
    const learned = redactorFor("s3cret-value").value({
      password: { type: "string", title: "s3cret-value" },
    });
    expect(JSON.stringify(learned.value)).not.toContain("s3cret-value");
  });

  it("counts what it replaces, in keys and values", () => {
    const { value } = redactorFor("s3cret-value");
    expect(
      value({ "s3cret-value": ["s3cret-value s3cret-value"], password: "x", other: { token: "" } }),
    ).toEqual({
      value: { "[redacted]": ["[redacted] [redacted]"], password: "[redacted]", other: { token: "" } },
      count: 4,
    });
  });

  it("tells the two base64 alphabets apart", () => {
    const secret = "??>>~~??>>~~??>>~~";
    for (const encoding of ["base64", "base64url"] as const) {
      const encoded = Buffer.from(`a${secret}`).toString(encoding);
      expect(encoded).toMatch(encoding === "base64" ? /[+/]/ : /[-_]/);
      expect(redactorFor(secret).text(encoded).count, encoding).toBe(1);
    }
  });

  it("does not learn what is too short to tell apart", () => {
    expect(redactorFor("abc").text("abc abcde").value).toBe("abc abcde");
  });

  it("costs linear time on hostile text", () => {
    const { text } = redactorFor("some-secret-value");
    const hostile = [
      "-----BEGIN A-----",
      "eyJ-",
      "://a:",
      "password",
      "password=\\",
      "a-",
      "token:\n",
      "\u001b]",
    ].map((piece) => piece.repeat(500_000 / piece.length));
    for (const long of hostile) {
      const started = performance.now();
      text(long);
      expect(performance.now() - started, long.slice(0, 20)).toBeLessThan(2_000);
    }
  });
});
