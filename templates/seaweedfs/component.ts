import { defineComponent, flag, text } from "#contract";

const keys = {
  access_key: { doc: "Id of an access key." },
  secret_key: { doc: "Secret of that access key." },
};

const shape = {
  group: "storage",
  attributes: {},
  secrets: keys,
  subComponents: {
    buckets: {
      kind: "bucket",
      doc: "Buckets of the store.",
      attributes: {
        bucket: text({ doc: "Name in the store, when it is not the key.", default: "{name}" }),
        public: flag({ doc: "Anybody may read it.", default: false }),
        prefix: text({ doc: "Only objects whose key starts with this." }),
      },
      secrets: keys,
    },
  },
  access: ["read", "write", "readwrite"],
  mcp: "later",
} as const;

export default [
  defineComponent({
    ...shape,
    type: "seaweedfs",
    summary: "SeaweedFS, an object store with the S3 protocol.",
    port: 8333,
    host: "{name}-s3.{namespace}.svc.{cluster_domain}",
  }),
  defineComponent({
    ...shape,
    type: "minio",
    summary: "MinIO, an object store with the S3 protocol.",
    port: 9000,
    host: "{name}.{namespace}.svc.{cluster_domain}",
  }),
  defineComponent({
    ...shape,
    type: "s3",
    summary: "Any other object store with the S3 protocol.",
    port: 443,
    host: "{name}.{namespace}.svc.{cluster_domain}",
  }),
];
