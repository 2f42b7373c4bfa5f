# Runs files of Redis' test suite against a server that somebody else has started, as the client of a test server:
#
#   tclsh driver.tcl --host 127.0.0.1 --port PORT --durable --client PORT_OF_THE_TEST_SERVER [--skiptest NAME]...
#
# in the folder of Redis' source. The suite itself is used as it is; what is changed here is said here.

set file [open tests/test_helper.tcl]
set text [read $file]
close $file
# All of the suite's procedures are defined before this one, and what follows it starts to work.
set work [string first "\nproc test_client_main " $text]
if {$work < 0} {
    error "tests/test_helper.tcl has no test_client_main"
}
eval [string range $text 0 $work]

# Each group of tests begins with FUNCTION FLUSH, and would not begin on a server without functions.
proc run_external_server_test {code overrides} \
    [string map {"r function flush" "catch {r function flush}"} [info body run_external_server_test]]

# A test that fails leaves its connections behind, some of them blocked, and the main one in any state. The tests after
# it are to be judged for themselves.
rename test test_of_suite
proc test {name code {okpattern undefined} {tags {}}} {
    set before [array names ::redis::fd]
    set failed $::num_failed
    uplevel 1 [list test_of_suite $name $code $okpattern $tags]
    if {$::num_failed > $failed} {
        foreach id [array names ::redis::fd] {
            if {$id ni $before} {
                catch {::redis::__method__close $id $::redis::fd($id)}
            }
        }
        catch {reconnect}
        catch {r script kill}
        catch {r client unpause}
        catch {r debug set-active-expire 1}
    }
}

# A socket would otherwise write two bytes for each line's end, and the lengths that it sends would be wrong.
eval [string map {"$::test_server_fd -encoding binary" "$::test_server_fd -translation binary"} \
    [string range $text $work end]]
