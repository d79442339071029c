-- Primary and replica for the directory (PostfixAdmin's tables).
-- On the primary (n1), once:
CREATE USER IF NOT EXISTS 'replica'@'%' IDENTIFIED BY 'replace-this-secret';
GRANT REPLICATION SLAVE ON *.* TO 'replica'@'%';
CREATE DATABASE IF NOT EXISTS mailnode CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'mailnode'@'%' IDENTIFIED BY 'replace-this-secret';
GRANT ALL ON mailnode.* TO 'mailnode'@'%';

-- A replica is filled from the primary, into nobody's binary log:
--   mariadb-dump --all-databases --flush-privileges --gtid --master-data=1 --single-transaction > all.sql
-- and there:
--   mariadb -e 'RESET MASTER'
--   (echo 'SET SESSION sql_log_bin = 0;'; cat all.sql) | mariadb
-- Then it follows:
--   CHANGE MASTER TO MASTER_HOST='10.0.0.1', MASTER_USER='replica',
--     MASTER_PASSWORD='replace-this-secret', MASTER_USE_GTID=slave_pos;
--   START SLAVE;

-- When the primary is gone for good, on the replica that is to write from now on:
--   STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF;
-- and read_only = OFF in its 70-mailnode.cnf. The old primary comes back as a new replica of it
-- (read_only = ON, filled anew, with the other address): what only it has written is not known.
