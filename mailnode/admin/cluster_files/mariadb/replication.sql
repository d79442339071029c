-- Primary and replica for the directory (PostfixAdmin's tables).
-- On the primary (@@first_name@@), once:
CREATE USER IF NOT EXISTS 'replica'@'%' IDENTIFIED BY '@@secret@@';
GRANT REPLICATION SLAVE ON *.* TO 'replica'@'%';
CREATE DATABASE IF NOT EXISTS mailnode CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'mailnode'@'%' IDENTIFIED BY '@@secret@@';
GRANT ALL ON mailnode.* TO 'mailnode'@'%';

-- On each replica, filled by `mariadb-backup` or `mariadb-dump --gtid --master-data=1` before:
--   CHANGE MASTER TO MASTER_HOST='@@first_address@@', MASTER_USER='replica',
--     MASTER_PASSWORD='@@secret@@', MASTER_USE_GTID=slave_pos;
--   START SLAVE;

-- When the primary is gone for good, on the replica that is to write from now on:
--   STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = OFF;
-- and read_only = OFF in its 70-mailnode.cnf. The old primary comes back as replica of it:
--   CHANGE MASTER TO MASTER_HOST='...', MASTER_USE_GTID=current_pos; START SLAVE;
