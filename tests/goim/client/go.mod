module imc/tests/goim/client

go 1.19
