module example/tributary

go 1.26
