CREATE DATABASE app_db CHARACTER SET utf8mb4;
CREATE DATABASE audit CHARACTER SET utf8mb4;
-- One letter away from what an underscore of a careless GRANT would match.
CREATE DATABASE appXdb;
CREATE TABLE appXdb.secrets (id INT PRIMARY KEY, word TEXT);
INSERT INTO appXdb.secrets VALUES (1, 'hidden');
CREATE TABLE audit.events (id BIGINT PRIMARY KEY, what TEXT);
INSERT INTO audit.events VALUES (9007199254740993, 'login');

USE app_db;
CREATE TABLE customers (
  id INT AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(100) NOT NULL COMMENT 'as on the invoice',
  email VARCHAR(200) UNIQUE,
  CONSTRAINT named CHECK (name <> '')
) COMMENT 'who buys';
CREATE TABLE orders (
  id INT AUTO_INCREMENT PRIMARY KEY,
  customer_id INT NOT NULL,
  status ENUM('open', 'paid') NOT NULL DEFAULT 'open',
  total DECIMAL(20, 4),
  big BIGINT UNSIGNED,
  at DATETIME(3),
  raw VARBINARY(16),
  doc JSON,
  KEY by_status (status, customer_id),
  FOREIGN KEY (customer_id) REFERENCES customers (id)
);
INSERT INTO customers (name, email) VALUES ('Grüße', 'g@example.org'), ('O''Hara; DROP', NULL);
INSERT INTO orders (customer_id, status, total, big, at, raw, doc) VALUES
  (1, 'open', 12345678901234.5678, 18446744073709551615, '2026-01-31 12:00:00.123', X'00FF', '{"a": [1, 2]}'),
  (2, 'paid', 1, 1, NULL, NULL, NULL);
CREATE VIEW open_orders AS SELECT id, total FROM orders WHERE status = 'open';

-- What a definer may do, behind a name that everybody who selects may use.
CREATE TABLE log (line TEXT);
DELIMITER //
CREATE DEFINER = root@localhost FUNCTION leave_a_trace() RETURNS INT MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
  INSERT INTO app_db.log VALUES ('trace');
  RETURN 1;
END //
CREATE DEFINER = root@localhost PROCEDURE wipe() SQL SECURITY DEFINER BEGIN DELETE FROM app_db.orders; END //
DELIMITER ;
CREATE SQL SECURITY DEFINER VIEW tracing AS SELECT leave_a_trace() AS trace;
CREATE SEQUENCE numbers_of_orders;

CREATE TABLE flood (id INT PRIMARY KEY, text VARCHAR(200) NOT NULL);
INSERT INTO flood SELECT seq, CONCAT('a row that is not short ', seq) FROM seq_1_to_3000000;
-- Sizes are statistics, which the server else works out when it finds the time.
ANALYZE TABLE flood;
CREATE TABLE wide (id INT PRIMARY KEY, blobs LONGTEXT);
INSERT INTO wide SELECT seq, REPEAT('é', 500000) FROM seq_1_to_20;
