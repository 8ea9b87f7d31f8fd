import GRDB
func f() throws { let q = try DatabaseQueue(path: ":memory:"); try q.write { try $0.execute(sql: "create table a(b)") } }
