"""The ledger of loudspeakers (设备台账): out as a table, and in from one."""
